"""Which known mistake a wrong answer looks like: told by what it does, never by how it reads.

A course's labelled wrong answers go through a few fixed probes, once per version of the course;
what they did is kept in the user's cache. A wrong submission goes through the probes of its
exercise. Where it does exactly what some labelled answers do, and these agree on what to say, that
is said; otherwise nothing is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import platformdirs
import torch
from nbformat import NotebookNode

from proctor.course import Course, read_notebook
from proctor.grading.connection import Connection, Raised, StudentError
from proctor.grading.handles import Handle, type_name_of
from proctor.grading.labelled import answers_file, load_answers, load_probes
from proctor.grading.student import Student
from proctor.sandbox.examination import Examination
from proctor.sandbox.sessions import AnySandbox
from proctor.wire.values import Member

# Two ways to compute the same number differ by less than this, two mistakes by more.
TOLERANCE = 1e-5
# What is larger is known by its kind alone.
MAX_NUMBERS = 10_000
MAX_CHARACTERS = 1000
MAX_BITS = 64

Behaviour = Any  # what one probe saw, as JSON
Probe = Callable[[Student], Behaviour]


@dataclass(frozen=True)
class KnownMistake:
    """What a labelled wrong answer did in the probes of its exercise, and what to say of it."""

    cell: str
    name: str
    hint: str
    behaviours: list[Behaviour]


# Probes, for tests/answers/<assignment>.py


def call(
    name: str,
    *arguments: Any,
    on_accelerator: bool = False,
    gradients: bool = True,
    less: Any = None,
    magnified: float = 1.0,
) -> Probe:
    """What a call gives: value, shape, dtype, gradients, changed inputs, device, copies.

    Where only tiny differences tell, the value is seen without `less`, which is about what a right
    answer gives, and `magnified`.
    """

    def probe(student: Student) -> Behaviour:
        called = student.on_accelerator if on_accelerator else student
        inputs = [fresh(argument, gradients) for argument in arguments]
        result = getattr(called, name)(*inputs)
        facts = student.last_call
        return {
            "result": describe(result if less is None else magnify(result, less, magnified)),
            "gradients": [describe(gradient) for gradient in gradients_of(result, inputs)],
            "changed": facts.changed_inputs,
            "devices": facts.result_devices,
            "copies": sorted(set(facts.host_copies)),
        }

    return probe


def loop(name: str, few: Sequence[Any], many: Sequence[Any]) -> Probe:
    """Whether the number of torch operations grows with the number of examples, and what comes
    back while they are counted."""

    def probe(student: Student) -> Behaviour:
        counts, results = [], []
        for arguments in (few, many):
            results.append(getattr(student.counting_operations, name)(*map(fresh, arguments)))
            counts.append(student.last_call.operations or 0)
        return [counts[1] - counts[0] >= len(many[0]) - len(few[0]), describe(results)]

    return probe


def value(name: str) -> Probe:
    """The value of a variable."""
    return lambda student: describe(getattr(student, name))


def magnify(result: Any, less: Any, factor: float) -> Any:
    """The difference from a number or a tensor, so many times as large; what has none stays."""
    if isinstance(result, bool) or not isinstance(result, int | float | torch.Tensor):
        return result
    if isinstance(result, torch.Tensor) and isinstance(less, torch.Tensor):
        if result.shape != less.shape:
            return result
        return [str(result.dtype), ((result.detach().to(less.dtype) - less) * factor).double()]
    return (result - less) * factor


def fresh(argument: Any, gradients: bool = True) -> Any:
    """A leaf of its own, so that no probe sees what another changed."""
    if not isinstance(argument, torch.Tensor):
        return argument
    return argument.detach().clone().requires_grad_(gradients and argument.is_floating_point())


def gradients_of(result: Any, inputs: Sequence[Any]) -> list[torch.Tensor | None]:
    if not isinstance(result, torch.Tensor) or not result.requires_grad:
        return []
    wanted = [tensor for tensor in inputs if isinstance(tensor, torch.Tensor)]
    wanted = [tensor for tensor in wanted if tensor.requires_grad]
    # Not 1 comes from above, for a backward of the student's own that takes it for granted.
    return list(torch.autograd.grad(3 * result.sum(), wanted, allow_unused=True))


def describe(found: Any) -> Behaviour:
    """A value as JSON that says all that tells it from others."""
    if isinstance(found, numpy.ndarray):
        return {"array": describe(torch.from_numpy(found))}
    if isinstance(found, torch.Tensor):
        plain = found.detach().double() if found.is_floating_point() else found.detach()
        numbers = plain.flatten().tolist() if found.numel() <= MAX_NUMBERS else "many"
        return {"dtype": str(found.dtype), "shape": list(found.shape), "numbers": numbers}
    if isinstance(found, int) and found.bit_length() > MAX_BITS:
        return {"type": "a huge int"}
    if isinstance(found, str):
        return found[:MAX_CHARACTERS]
    if isinstance(found, list | tuple):
        return [describe(item) for item in found]
    if isinstance(found, dict):
        return {str(key): describe(item) for key, item in found.items()}
    if found is None or isinstance(found, bool | int | float):
        return found
    if isinstance(found, Handle):
        return {"type": type_name_of(found)}
    if isinstance(found, bytes | complex | Member):
        return repr(found)[:MAX_CHARACTERS]
    if isinstance(found, set | frozenset):
        return sorted(repr(item)[:MAX_CHARACTERS] for item in found)
    return {"type": getattr(found, "type_name", type(found).__name__)}


def observe(probe: Probe, student: Student) -> Behaviour:
    """What a probe sees; an error is a behaviour, too."""
    try:
        return probe(student)
    except Raised as error:
        return {"raised": error.type_name}
    except StudentError as error:
        return {"failed": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - no odd value may cost the marks that were given
        return {"failed": type(error).__name__}


def same(one: Behaviour, other: Behaviour) -> bool:
    """Whether two behaviours are the same, up to rounding."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    if isinstance(one, int | float) and isinstance(other, int | float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other or abs(one - other) <= TOLERANCE * max(1.0, min(abs(one), abs(other)))
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


# The known mistakes of a course


def known_mistakes(course: Course, assignment: str, sandbox: AnySandbox) -> list[KnownMistake]:
    """What the labelled wrong answers do; found out once per version of the course."""
    place = cache_file(course, assignment)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may want it at once
        try:
            return [KnownMistake(**entry) for entry in json.loads(place.read_text())]
        except (OSError, ValueError, TypeError):
            found = watch_mistakes(course, assignment, sandbox)
        written = place.with_suffix(".new")
        written.write_text(json.dumps([vars(mistake) for mistake in found]))
        written.replace(place)
    return found


def cache_file(course: Course, assignment: str) -> Path:
    """Named after everything that the behaviours depend on."""
    engine = Path(__file__).parents[1]
    parts = [
        course.reference(assignment),
        answers_file(course, assignment),
        *sorted(engine.glob("inside/*.py")),
        *sorted(engine.glob("wire/*.py")),
        *(
            engine / "grading" / name
            for name in ("diagnosis.py", "calls.py", "handles.py", "student.py")
        ),
    ]
    version = hashlib.sha256(torch.__version__.encode())
    for part in parts:
        version.update(part.read_bytes() if part.exists() else b"")
    folder = Path(platformdirs.user_cache_dir("proctor"))
    return folder / f"{assignment}-{version.hexdigest()[:20]}.json"


def watch_mistakes(course: Course, assignment: str, sandbox: AnySandbox) -> list[KnownMistake]:
    reference = read_notebook(course.reference(assignment))
    answers = [answer for answer in load_answers(course, assignment) if not answer.is_right]
    found = []
    for cell, probes in load_probes(course, assignment).items():
        cells = [one for one in reference.cells if defines_names(one)]
        place = [one.metadata.nbgrader.grade_id for one in cells].index(cell)
        before, after = cells[:place], [one.source for one in cells[place + 1 :]]
        with Examination(sandbox, [one.source for one in before], figures=False) as examination:
            examination.run_cells()
            right = watch([cells[place].source, *after], probes, examination)
            for answer in answers:
                if answer.cell == cell:
                    seen = watch([answer.source, *after], probes, examination)
                    if not same(seen, right):  # or it would be said of the innocent
                        found.append(KnownMistake(cell, answer.name, answer.hint or "", seen))
    return found


def watch(
    sources: Sequence[str], probes: Sequence[Probe], examination: Examination
) -> list[Behaviour]:
    """What the probes see after these cells, run where those before them were."""
    examination.end_question()
    connection, answered, seen = Connection(examination), None, []
    examination.forget_time()  # each answer has the time of a submission
    for probe in probes:
        if examination.question() is not answered:  # the first, or one after a crash
            answered = examination.question()
            for source in sources:
                with contextlib.suppress(StudentError):
                    connection.ask("run", {"ask": "run", "source": source})
        seen.append(observe(probe, Student(connection)))
    return seen


def defines_names(cell: NotebookNode) -> bool:
    """Whether probes may need what a code cell defines: set-up and answers, but no figures."""
    labels = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(labels) and not labels.get("grade", False)


# The diagnosis of a submission


def diagnose(
    failed: Iterable[str],
    sources: Mapping[str, str],
    course: Course,
    assignment: str,
    examination_of: Callable[[str], Examination],
    sandbox: AnySandbox,
) -> dict[str, str]:
    """What to say about wrong answers: solution cell to text, for those that are recognised.

    `failed` are the solution cells whose graded cells lost marks, `sources` what the student wrote
    in each, `examination_of` where each is asked about. An answer that uses another wrong one, even
    by way of a third, is left alone: its behaviour is not its own.
    """
    failed = list(failed)
    alone = [cell for cell in failed if not used_by(cell, sources) & (set(failed) - {cell})]
    if not alone:
        return {}
    probes = load_probes(course, assignment)
    to_probe = [cell for cell in alone if cell in probes]
    if not to_probe:
        return {}
    mistakes = known_mistakes(course, assignment, sandbox)
    for examination in map(examination_of, to_probe):
        examination.end_question()
    texts = {}
    for cell in to_probe:
        student = Student(Connection(examination_of(cell)))
        seen = [observe(probe, student) for probe in probes[cell]]
        text = text_for([known for known in mistakes if known.cell == cell], seen)
        if text is not None:
            texts[cell] = text
    return texts


def used_by(cell: str, sources: Mapping[str, str]) -> set[str]:
    """The other exercises whose names stand in an answer, or in the answers to those."""
    found: set[str] = set()
    to_read = [cell]
    while to_read:
        source = sources.get(to_read.pop(), "")
        named = {name for name in sources if re.search(rf"\b{re.escape(name)}\b", source)}
        to_read += named - found
        found |= named
    return found


def text_for(mistakes: Sequence[KnownMistake], seen: list[Behaviour]) -> str | None:
    """What to say of these behaviours; nothing when no mistake does the same, or when those that
    do would be told different things."""
    alike = [mistake for mistake in mistakes if same(mistake.behaviours, seen)]
    if not alike or len({mistake.hint for mistake in alike}) > 1:
        return None
    # Several mistakes may do the same: then none is named.
    named = f": “{alike[0].name}”" if len(alike) == 1 else ""
    return f"Known mistake{named}. {alike[0].hint}"
