"""Why there is no sandbox here, and what helps."""

from __future__ import annotations

from proctor.sandbox.machine import BYTES_FOR_ALL, BYTES_FOR_EACH, MEGABYTE, free_memory


class SandboxUnavailable(Exception):
    """No sandbox can be made here: why, and what helps."""

    def __init__(self, reason: str, remedy: str):
        super().__init__(f"{reason}. {remedy}")
        self.reason = reason
        self.remedy = remedy


CONTAINER_REMEDY = (
    "If this is a container, start it with `--security-opt seccomp=unconfined --security-opt "
    "systempaths=unconfined --security-opt apparmor=unconfined` (podman: `--security-opt "
    "seccomp=unconfined --security-opt unmask=ALL`). Otherwise, an administrator can allow "
    "user namespaces with `sysctl user.max_user_namespaces=15000` (older Debian: "
    "`sysctl kernel.unprivileged_userns_clone=1`)."
)
APPARMOR_REMEDY = (
    "AppArmor lets only certain programs create user namespaces (Ubuntu 23.10 and later). "
    "An administrator can allow it for bwrap, with an AppArmor profile that says `userns,`, or for "
    "all programs with `sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
)
GENERAL_REMEDY = "docs/operators.md lists what the sandbox needs from a machine or a container."
# What bubblewrap or the warm process says, and what helps there; the first that fits.
REMEDIES = (
    ("setting up uid map: Permission denied", APPARMOR_REMEDY),
    ("uid_map", APPARMOR_REMEDY),
    ("o permissions to create", CONTAINER_REMEDY),
    ("reating new namespace failed", CONTAINER_REMEDY),
    ("unshare: ", CONTAINER_REMEDY),
    ("an't mount proc", CONTAINER_REMEDY),
    ("mount proc on", CONTAINER_REMEDY),
    ("mount: /proc", CONTAINER_REMEDY),
    ("nknown option", "This bubblewrap is too old: version 0.5 or later is needed."),
    (
        "c.Grading.preload",
        "Install it in the environment that proctor runs in, or remove it from c.Grading.preload "
        "in nbgrader_config.py.",
    ),
    (
        "ModuleNotFoundError",
        "A package is missing from the environment that proctor runs in: install it there. "
        "`make setup` makes an environment that has everything.",
    ),
    (
        "ermission denied",
        "The user that the sandbox runs as must be able to read the virtual environment and the "
        "Python interpreter: put both where every user can read them.",
    ),
)


def memory_remedy() -> str:
    return (
        "There may be too little memory: marking one submission takes about "
        f"{(BYTES_FOR_ALL + BYTES_FOR_EACH) // MEGABYTE} MB, each further one at the same time "
        f"(-j) {BYTES_FOR_EACH // MEGABYTE} MB more, and {free_memory() // MEGABYTE} MB are free."
    )


def explain(errors: str) -> SandboxUnavailable:
    """What to tell of what bubblewrap or the warm process wrote before it ended."""
    lines = [line for line in errors.splitlines() if line.strip()]
    reason = lines[-1].strip() if lines else "it ended without saying why"
    fitting = [remedy for text, remedy in REMEDIES if text in reason]
    if not lines or "Cannot allocate memory" in reason:
        fitting.append(memory_remedy())
    remedy = fitting[0] if fitting else GENERAL_REMEDY
    return SandboxUnavailable(f"The sandbox could not be started: {reason}", remedy)
