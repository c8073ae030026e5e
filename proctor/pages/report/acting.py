"""What an instructor must act on, or may want to look at, before reading how the class did."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proctor.grading.refusals import FORBIDDEN, NETWORK, WRITING
from proctor.pages.report.gathering import ClassResults
from proctor.text import plain

# How incidents say that time ran out.
TIMED_OUT = ("was stopped after", "took longer than", "did not stop after")
# How they say that a notebook did what ordinary work does not: end its process, answer with
# something that the engine never sends, lead out of its folder.
UNUSUAL = (
    "ended its process",
    "ended from outside",
    "sent something other than",
    "could not be asked anything",
    "led to",
    "symbolic link",
    "had been set to",
)
# How they say that the sandbox did not let it have what it reached for.
REFUSED = (NETWORK, WRITING, FORBIDDEN)
MOST_OF_ERROR = 300  # characters
# What a grader met in a call: the end of the process, or an answer that was forged.
MET = re.compile(r"^E +proctor\.grading\.connection\.(?:Died|Untrustworthy): (.*)", re.MULTILINE)


@dataclass(frozen=True)
class Matter:
    """One kind of thing to act on: what to do, and who it is about, with a line for each.

    `key` is what the filter of the table of students calls it; `command` is what to type, if there
    is something.
    """

    key: str
    title: str
    advice: str
    lines: list[tuple[str, str]]
    command: str | None = None

    @property
    def students(self) -> list[str]:
        return list(dict.fromkeys(student for student, _ in self.lines))


def time_ran_out(incident: str) -> bool:
    return any(words in incident for words in TIMED_OUT)


def is_unusual(incident: str) -> bool:
    return any(words in incident for words in UNUSUAL)


def is_refused(incident: str) -> bool:
    return incident.endswith(REFUSED)


def to_act_on(results: ClassResults) -> list[Matter]:
    """What must be acted on, most pressing first; nothing that is empty."""
    told = incidents(results)
    found = [
        Matter(
            "rejected",
            "Rejected",
            "The file could not be read, so it has 0 points. Ask the student to hand it in again.",
            [
                (one.student, plain(one.record["error"]))
                for one in results.submissions
                if one.is_rejected
            ],
        ),
        Matter(
            "not-graded",
            "Handed in, not graded",
            "New since the last run. To grade them, run",
            [(student, "") for student in results.not_graded],
            f"proctor grade {results.assignment}",
        ),
        Matter(
            "set-aside",
            "Set aside, not graded",
            "Something other than the submission went wrong, so there is no mark, or only that of "
            "an earlier grading. Once it is put right, run",
            [(student, set_aside(note)) for student, note in results.set_aside.items()],
            f"proctor grade {results.assignment}",
        ),
        Matter(
            "unusual",
            "Unusual, possibly tampering",
            "No other submission was affected. Look at the notebook before you talk to anybody.",
            [one for one in told if is_unusual(one[1]) and not time_ran_out(one[1])]
            + met_in_calls(results),
        ),
        Matter(
            "refused",
            "Refused by the sandbox",
            "The code reached for something that no submission may have, and did not get it. It "
            "may be a download in honest work, or an attempt to tamper: look at the cell.",
            [one for one in told if is_refused(one[1])],
        ),
        Matter(
            "timed-out",
            "Out of time",
            "Usually a loop that never ends: the checks that call it fail. Are the limits fair?",
            [one for one in told if time_ran_out(one[1])],
        ),
    ]
    return [matter for matter in found if matter.lines]


def to_know(results: ClassResults) -> list[Matter]:
    """What needs nothing done: repairs and remarks, and who handed nothing in."""
    others = [
        one
        for one in incidents(results)
        if not (time_ran_out(one[1]) or is_unusual(one[1]) or is_refused(one[1]))
    ]
    found = [
        Matter("noted", "Notes on notebooks", "What was repaired, or flagged for you.", others),
        Matter(
            "not-handed-in",
            "Nothing handed in",
            "They are on the class list, but have no folder in submitted/.",
            [(student, "") for student in results.not_handed_in],
        ),
    ]
    return [matter for matter in found if matter.lines]


def met_in_calls(results: ClassResults) -> list[tuple[str, str]]:
    """Once for each student: what the graders met in their calls that ordinary work does not do."""
    found: dict[str, str] = {}
    for one in results.submissions:
        for check in (check for cell in one.cells for check in cell["checks"]):
            if not check["passed"] and (met := MET.search(check["detail"])):
                found.setdefault(one.student, plain(met[1]))
    return list(found.items())


def set_aside(note: Mapping[str, str]) -> str:
    """When and why, and what helps; of a traceback its last line, which says what went wrong."""
    lines = [line for line in note["error"].splitlines() if line.strip()] or [""]
    at = note["set_aside_at"][:16].replace("T", " ")
    return f"{at} UTC: {plain(lines[-1], MOST_OF_ERROR).rstrip('.')}. {plain(note['remedy'])}"


def incidents(results: ClassResults) -> Sequence[tuple[str, str]]:
    return [
        (one.student, plain(text))
        for one in results.submissions
        for text in one.record["incidents"]
    ]
