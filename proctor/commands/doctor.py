"""`proctor doctor`: what was probed here, and what to do about it."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import shutil
import sys
import sysconfig
from dataclasses import asdict
from pathlib import Path

from proctor.commands.options import COULD_NOT_WORK
from proctor.commands.terminal import say
from proctor.sandbox.unavailable import SandboxUnavailable

SUMMARY = "show what the sandbox can do on this machine"
EXAMPLES = """
proctor doctor
"""
EXIT_CODES = """
0    the sandbox is sound
2    it is not, or a package that the course here needs is missing
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print everything as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Say what was probed and what protection this machine gives."""
    say("trying a sandbox; this takes a few seconds", to=sys.stderr)
    from proctor.sandbox.probes import probe

    found = probe()
    here, missing = notes(Path.cwd()), missing_in(Path.cwd())
    if options.json:
        unavailable = found.unavailable and asdict_of(found.unavailable)
        print(
            json.dumps(
                {
                    "sound": found.sound,
                    "findings": [asdict(finding) for finding in found.findings],
                    "unavailable": unavailable,
                    "protection": found.protection,
                    "notes": here,
                    "missing_packages": missing,
                }
            )
        )
    else:
        say(str(found))
        for name, text in here.items():
            say(f"note {name:<22} {text}")
        for text in missing:
            say(f"BAD  {'c.Grading.packages':<22} {text}")
    return 0 if found.sound and not missing else COULD_NOT_WORK


def missing_in(folder: Path) -> list[str]:
    """What is missing of the packages that the course in this folder lists, for any assignment."""
    if not (folder / "nbgrader_config.py").exists():
        return []
    from proctor.grading.missing import missing_here
    from proctor.settings import Grading, load_config

    grading = Grading(config=load_config())
    all_of_them = [grading, *map(grading.of, grading.assignments)]
    return missing_here(sorted({name for each in all_of_them for name in each.packages}))


def asdict_of(error: SandboxUnavailable) -> dict[str, str]:
    return {"reason": error.reason, "remedy": error.remedy}


def notes(folder: Path) -> dict[str, str]:
    """What is right for some and not for others: how a hub's terminal and Formgrader see this."""
    found = {}
    if shutil.which("proctor") is None:
        scripts = sysconfig.get_path("scripts")
        found["PATH"] = (
            f'proctor is not on the PATH here; put `PATH="{scripts}:$PATH"` in ~/.profile'
        )
    if (folder / "nbgrader_config.py").exists() and course_at_home() != folder.resolve():
        found["Formgrader"] = (
            "shows this course if JupyterLab is started in it. For a server that is started "
            f'elsewhere, as by a hub, put `c.CourseDirectory.root = "{folder}"` into '
            "~/.jupyter/nbgrader_config.py"
        )
    return found


def course_at_home() -> Path | None:
    """The course that nbgrader knows in a server which is started at home."""
    from proctor.settings import load_config

    logging.disable(logging.WARNING)  # that there is none is no fault
    try:
        with contextlib.chdir(Path.home()):
            root = load_config().CourseDirectory.get("root")
    finally:
        logging.disable(logging.NOTSET)
    return Path(root).resolve() if isinstance(root, str) and root else None
