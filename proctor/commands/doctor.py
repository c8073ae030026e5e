"""`proctor doctor`: what was probed here, and what to do about it."""

from __future__ import annotations

import argparse

from proctor.commands.options import COULD_NOT_WORK

SUMMARY = "show what sandbox this machine gives"
EXAMPLES = """
proctor doctor
"""
EXIT_CODES = """
0    the sandbox is sound
2    it is not, or there is none
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """None."""


def run(_options: argparse.Namespace) -> int:
    """Say what was probed and what protection this machine gives."""
    from proctor.sandbox.probes import probe

    found = probe()
    print(found)
    return 0 if found.sound else COULD_NOT_WORK
