"""What this machine gives to grading. Importing this imports nothing that takes time."""

from __future__ import annotations

import os


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))
