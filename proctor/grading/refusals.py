"""What a submission reached for and the sandbox refused, as an incident for the instructor: only a
person can tell a download from an attack."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proctor.sandbox.examination import Examination

# What Python's exceptions say of it: their types, and words of the operating system in their texts.
NETWORK = "tried to reach the network, which the sandbox does not have"
WRITING = "tried to write where the sandbox lets nothing be written"
FORBIDDEN = "tried something that the sandbox forbids"
BY_TYPE = {
    "PermissionError": FORBIDDEN,
    "gaierror": NETWORK,
    "URLError": NETWORK,
    "NameResolutionError": NETWORK,
    "ConnectionRefusedError": NETWORK,
}
BY_TEXT = (
    (re.compile(r"Errno 30\b|Read-only file system"), WRITING),
    (re.compile(r"Errno (97|99|101|-2|-3)\b|Network is unreachable|name resolution"), NETWORK),
)


def refusal(kinds: Sequence[str], text: str) -> str | None:
    """What an exception of these types with this text tells; None for an ordinary one."""
    by_text = [told for pattern, told in BY_TEXT if pattern.search(text)]
    by_type = [BY_TYPE[kind] for kind in kinds if kind in BY_TYPE]
    return next(iter(by_text + by_type), None)


def refused_cells(examination: Examination) -> list[str]:
    """A line for each cell that ended with such an exception."""
    lines = []
    for name, run in zip(examination.names, examination.runs, strict=True):
        for output in run.outputs:
            if output["output_type"] == "error":
                told = refusal([output["ename"]], output["evalue"])
                lines += [f"{name} {told}"] if told else []
    return lines
