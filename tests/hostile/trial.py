"""Runs attacks among honest submissions through the real commands, and says what came of it.

A trial makes a copy of the course with tokens ("canaries") in everything secret, hands in each
attack between two honest submissions, in shuffled order, and types what an instructor types:
`proctor grade`, `nbgrader generate_feedback`. Then it looks at marks, files, processes and memory.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import random
import re
import secrets
import shutil
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook
from typed import typed

from hostile import breaking, engine, files, forging, objects, spying, walls
from hostile.attack import ASSIGNMENT, EVERYTHING, MARK, Attack, unique, with_sources
from proctor.course import Course, read_notebook
from proctor.grading.labelled import reference_answers
from proctor.text import plain

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent
MODULES = (forging, objects, spying, breaking, engine, files, walls)
ATTACKS = unique(attack for module in MODULES for attack in module.ATTACKS)

MAX_GRADER_BYTES = 600 << 20
SECRET_PLACES = ("solutions", "graders", "answers", "gradebook", "environment", "home")
WRITTEN = (
    "The distance falls although the answer stays the same: the loss sees what accuracy misses."
)
# Half of an honest class is not all right; what it loses must not change either.
PARTLY_WRONG = {"sigmoid": "def sigmoid(x):\n    return x.clamp(0, 1)"}
# Shorter than by default, so that what hangs costs the trial little.
SETTINGS = """
c.Grading.cell_seconds = 3
c.Grading.call_seconds = 2
c.Grading.figures = False
"""
# A hidden input that an attack carried out: `hidden_input [0.25, ...`
CARRIED_OUT = re.compile(r"hidden_input[ '\",(]*\[+-?\d")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e]")


@dataclass
class Result:
    """What came of one attack. Each entry is a sentence; all empty is as it must be."""

    attack: Attack
    gained: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    harmed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complaints(self) -> list[str]:
        return [*self.gained, *self.leaked, *self.harmed]


@dataclass
class Report:
    """What came of a trial: of each attack, and of the machine as a whole."""

    results: list[Result]
    whole: list[str]
    submissions: int
    seconds: float
    grader_bytes: int

    @property
    def complaints(self) -> list[str]:
        named = [
            f"{result.attack.name}: {one}" for result in self.results for one in result.complaints
        ]
        return [*self.whole, *named]

    def table(self) -> str:
        lines = [f"{'attack':<58}{'seconds':>8}  {'gained':<8}{'leaked':<8}{'harmed':<8}"]
        for result in self.results:
            gained = "yes" if result.gained else "claims" if result.claimed else "-"
            leaked, harmed = ("yes" if found else "-" for found in (result.leaked, result.harmed))
            name = f"{result.attack.name[:57]:<58}{result.seconds:>8.1f}"
            lines.append(f"{name}  {gained:<8}{leaked:<8}{harmed:<8}")
        counts = [
            sum(bool(getattr(result, kind)) for result in self.results)
            for kind in ("gained", "leaked", "harmed", "claimed")
        ]
        lines += [f"  {plain(complaint, 400)}" for complaint in self.complaints]
        lines.append(
            f"{len(self.results)} attacks among {self.submissions} submissions in "
            f"{self.seconds:.0f} s, grader memory {self.grader_bytes >> 20} MB: "
            f"{counts[0]} gained, {counts[1]} leaked, {counts[2]} harmed"
            + (f" ({counts[3]} gained by false claims, as SECURITY.md says)" if counts[3] else "")
        )
        return "\n".join(lines)


@dataclass(frozen=True)
class Seat:
    """One student of the trial's class. `kind` is "right", "partly", "base" or "attack"."""

    student: str
    kind: str
    attack: Attack | None = None
    answers: tuple[tuple[str, str], ...] = ()


def seats_of(attacks: Sequence[Attack], seed: int) -> list[Seat]:
    """The class in the order in which it is graded: each attack between two honest ones."""
    bases = {tuple(sorted(attack.base.items())) for attack in attacks}
    inner = [("base", None, base) for base in sorted(bases)]
    inner += [("attack", attack, ()) for attack in attacks]
    random.Random(seed).shuffle(inner)
    order = []
    for number, entry in enumerate(inner):
        order += [("partly" if number % 2 else "right", None, ()), entry]
    order.append(("right", None, ()))
    return [
        Seat(f"student-{number:04}{attack.suffix if attack else ''}", kind, attack, base)
        for number, (kind, attack, base) in enumerate(order)
    ]


class Trial:
    """A course of its own with a class in it."""

    def __init__(self, folder: Path, attacks: Sequence[Attack], seed: int, jobs: int = 2):
        self.folder = folder
        self.jobs = jobs
        self.root = folder / "course"
        self.course = Course(self.root)
        self.canaries = {place: f"canary-{secrets.token_hex(8)}" for place in SECRET_PLACES}
        self.seats = seats_of(attacks, seed)
        self.terminal = ""
        self.watch = Watch()

    def run(self) -> Report:
        started = time.monotonic()
        self.prepare()
        before = self.state()
        aside = any(seat.attack is not None and seat.attack.set_aside for seat in self.seats)
        grade = ("proctor", "grade", ASSIGNMENT, "-j", str(self.jobs))
        # 1 says that something is worth a look, as it may be after an attack.
        whole = self.type(*grade, codes=(1, 2) if aside else (0, 1))
        whole += self.type(
            "nbgrader", "generate_feedback", ASSIGNMENT, "--student", "*hostile*", "--force"
        )
        whole += changes(before, self.state())
        whole += self.watch.complaints()
        whole += [f"left in the folder for temporary files: {path.name}" for path in self.left()]
        whole += self.leaks_in("the terminal", self.terminal)
        if CONTROL.search(self.terminal):
            whole.append(
                f"control characters reached the terminal: {CONTROL.search(self.terminal)}"
            )
        return Report(
            results=[self.result(seat) for seat in self.seats if seat.attack is not None],
            whole=whole,
            submissions=len(self.seats),
            seconds=time.monotonic() - started,
            grader_bytes=self.watch.most_bytes,
        )

    # Before

    def prepare(self) -> None:
        for place in ("home", "tmp"):
            (self.folder / place).mkdir(parents=True)
        (self.folder / "home" / "notes.txt").write_text(self.canaries["home"])
        for place in ("source", "release", "tests/graders"):
            shutil.copytree(REPOSITORY / place / ASSIGNMENT, self.root / place / ASSIGNMENT)
        (self.root / "tests" / "answers").mkdir()
        shutil.copy(REPOSITORY / f"tests/answers/{ASSIGNMENT}.py", self.root / "tests" / "answers")
        config = (REPOSITORY / "nbgrader_config.py").read_text()
        (self.root / "nbgrader_config.py").write_text(config + SETTINGS)
        self.plant()
        made = typed("nbgrader", ["generate_assignment", ASSIGNMENT], self.root)
        assert made.returncode == 0, made.stdout + made.stderr
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            gradebook.add_student("a-student", last_name=self.canaries["gradebook"])
        for seat in self.seats:
            self.hand_in(seat)

    def plant(self) -> None:
        path = self.course.reference(ASSIGNMENT)
        notebook = read_notebook(path)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                secret = self.canaries["solutions"]
                cell.source = cell.source.replace(
                    "### BEGIN SOLUTION", f"### BEGIN SOLUTION\n# {secret}"
                )
                if cell.cell_type == "markdown":
                    cell.source += secret
        nbformat.write(notebook, path)
        for path in (self.root / "tests" / "graders").rglob("*.py"):
            text = re.sub(
                r"^( +)(assert )",
                rf"\1# {self.canaries['graders']}\n\1\2",
                path.read_text(),
                flags=re.M,
            )
            path.write_text(f"{text}\n# {self.canaries['graders']}\n")
        answers = self.root / "tests" / "answers" / f"{ASSIGNMENT}.py"
        # Each of them is run once for a new version of the course: some are enough here.
        few = "ANSWERS = [answer for answer in ANSWERS if answer.cell == 'mnist_loss'][:12]"
        answers.write_text(f"{answers.read_text()}\n{few}\n# {self.canaries['answers']}\n")

    def hand_in(self, seat: Seat) -> None:
        folder = self.root / "submitted" / seat.student / ASSIGNMENT
        folder.mkdir(parents=True)
        answers = {"explain_better": WRITTEN, **honest_answers()}
        answers |= dict(seat.answers)
        if seat.kind == "partly":
            answers |= PARTLY_WRONG
        if seat.attack is not None:
            answers |= seat.attack.answers
        made = with_sources(read_notebook(self.course.release(ASSIGNMENT)), answers)
        if seat.attack is not None and seat.attack.rewrite is not None:
            made = seat.attack.rewrite(made)
        data = made if isinstance(made, bytes) else json.dumps(made).encode()
        (folder / f"{ASSIGNMENT}.ipynb").write_bytes(data)
        if seat.attack is not None and seat.attack.place is not None:
            seat.attack.place(folder, data)

    # During

    def type(self, *command: str, codes: Sequence[int] = (0,)) -> list[str]:
        """What an instructor types; watched. Returns what went wrong."""
        environment = {
            **os.environ,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "TOKEN": self.canaries["environment"],
        }
        with (self.folder / "terminal").open("w+b") as terminal:
            process = subprocess.Popen(
                [COMMANDS / command[0], *command[1:]],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=subprocess.STDOUT,
            )
            with self.watch.over(process.pid):
                ended = process.wait()
            terminal.seek(0)
            written = terminal.read().decode(errors="replace")
        self.terminal += written
        if ended not in codes:
            errors = [line for line in written.splitlines() if "ERROR" in line or "Error" in line]
            told = " / ".join(errors[-5:]) or written[-300:]
            return [f"`{' '.join(command)}` ended with {ended}: {told}"]
        return []

    # After

    def state(self) -> dict[str, str]:
        """Hashes of all that grading may not change."""
        made = {
            "autograded",
            "feedback",
            "records",
            "gradebook.db",
            ".nbgrader.log",
            ".proctor-secret",
        }
        found = {}
        for place in (self.root, self.folder / "home"):
            for path in sorted(place.rglob("*")):
                inside = path.relative_to(place).parts
                if inside[0] in made or "__pycache__" in inside or inside[0] == ".cache":
                    continue
                if path.is_symlink() or not path.is_file() or path.stat().st_size > 8 << 20:
                    found[str(path)] = str(path.lstat().st_mode)
                else:
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        with contextlib.closing(sqlite3.connect(self.root / "gradebook.db")) as gradebook:
            rows = gradebook.execute("select id, first_name, last_name, email from student")
            found["students"] = str([row for row in rows if row[0] == "a-student"])
            rows = gradebook.execute("select manual_score, extra_credit from grade")
            found["manual scores"] = str(sorted({str(row) for row in rows} - {"(None, None)"}))
        return found

    def left(self) -> list[Path]:
        return sorted((self.folder / "tmp").iterdir())

    def record(self, student: str) -> dict:
        return json.loads(self.course.record(student, ASSIGNMENT).read_text())

    @functools.cached_property
    def expected(self) -> dict[object, dict[str, float]]:
        """What the same answers got without any attack, by base, and what honest ones got."""
        found: dict[object, dict[str, float]] = {}
        for seat in self.seats:
            if seat.kind == "base":
                found[seat.answers] = scores(self.record(seat.student))
            elif seat.kind != "attack":
                found.setdefault(seat.kind, scores(self.record(seat.student)))
        return found

    def result(self, seat: Seat) -> Result:
        attack, result = seat.attack, Result(seat.attack)
        try:
            record = self.record(seat.student)
        except (OSError, ValueError) as error:
            told = f"{seat.student}: set aside" in self.terminal
            if not (attack.set_aside and told):
                result.harmed.append(f"there is no record: {error}")
            result.gained += self.gradebook_gains(seat, {})
            result.harmed += self.harm_to_neighbours(seat)
            return result
        result.seconds = record["seconds"]
        without = self.expected[tuple(sorted(attack.base.items()))]
        if not attack.answers and attack.may_lose == EVERYTHING:
            without = dict.fromkeys(without, 0.0)  # a file that says nothing gets nothing
        got = scores(record)
        for grade_id, score in without.items():
            difference = got.get(grade_id, 0.0) - score
            words = f"{grade_id}: {got.get(grade_id, 0.0):g} instead of {score:g}"
            if difference > 0:
                (result.claimed if grade_id in attack.claims else result.gained).append(words)
            elif difference < 0 and not attack.may_lose & {grade_id, "*"}:
                result.harmed.append(f"lost what it did not touch, {words}")
        if attack.reason and not re.search(attack.reason, json.dumps(record, ensure_ascii=False)):
            result.harmed.append(f"the record does not say why (looked for {attack.reason!r})")
        if record["seconds"] > (attack.seconds + 20) * self.slowness:
            result.harmed.append(f"it took {record['seconds']:.0f} s")
        result.gained += self.gradebook_gains(seat, got)
        result.leaked += self.leaks(seat, record)
        result.harmed += self.harm_to_neighbours(seat)
        return result

    @functools.cached_property
    def stored(self) -> dict[str, float]:
        """The automatic scores in the gradebook."""
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            return {
                submission.student_id: sum(
                    grade.auto_score or 0 for book in submission.notebooks for grade in book.grades
                )
                for submission in gradebook.assignment_submissions(ASSIGNMENT)
            }

    @functools.cached_property
    def slowness(self) -> float:
        """How many times slower than usual this machine is, by the clock of honest submissions."""
        honest = [seat for seat in self.seats if seat.kind in ("right", "partly")]
        taken = statistics.median(self.record(seat.student)["seconds"] for seat in honest)
        return max(1.0, taken / 2.0)

    def gradebook_gains(self, seat: Seat, got: dict[str, float]) -> list[str]:
        marked, stored = sum(got.values()), self.stored.get(seat.student, 0.0)
        if abs(stored - marked) > 1e-6:
            return [f"the gradebook says {stored:g}, the record {marked:g}"]
        return []

    def harm_to_neighbours(self, seat: Seat) -> Iterator[str]:
        place = self.seats.index(seat)
        for neighbour in (self.seats[place - 1], self.seats[place + 1]):
            record = self.record(neighbour.student)
            if scores(record) != self.honest[neighbour.kind]:
                yield f"{neighbour.student} beside it got {scores(record)}"
            elif record["incidents"]:
                yield f"{neighbour.student} beside it: {record['incidents']}"

    @functools.cached_property
    def honest(self) -> dict[str, dict[str, float]]:
        """What honest submissions get most often: one that was harmed is no measure."""
        found = {}
        for kind in ("right", "partly"):
            all_scores = [
                json.dumps(scores(self.record(seat.student)))
                for seat in self.seats
                if seat.kind == kind
            ]
            found[kind] = json.loads(max(all_scores, key=all_scores.count)) if all_scores else {}
        return found

    def leaks(self, seat: Seat, record: dict) -> Iterator[str]:
        """Tokens and hidden inputs in what a student sees, and live markup in feedback."""
        shown = without_details(record)
        yield from self.leaks_in("the record", json.dumps(shown, ensure_ascii=False))
        for step in ("autograded", "feedback"):
            for path in (self.root / step / seat.student / ASSIGNMENT).rglob("*"):
                if not path.is_file() or path.stat().st_size > 64 << 20:
                    continue
                text = path.read_text(errors="replace")
                yield from self.leaks_in(f"{step}/{path.name}", text)
                if path.suffix == ".html":
                    yield from (f"live in feedback: {part}" for part in live_parts(text))

    def leaks_in(self, place: str, text: str) -> list[str]:
        found = [
            f"the token of the {name} is in {place}"
            for name, canary in self.canaries.items()
            if canary in text
        ]
        if CARRIED_OUT.search(text):
            found.append(f"a hidden input is in {place}")
        return found


@functools.cache
def honest_answers() -> dict[str, str]:
    return reference_answers(read_notebook(Course(REPOSITORY).reference(ASSIGNMENT)))


def scores(record: dict) -> dict[str, float]:
    return {
        cell["grade_id"]: cell["score"] for cell in record["cells"] if cell["score"] is not None
    }


def without_details(record: dict) -> dict:
    """The record without what is for the instructor alone."""
    cells = [
        {**cell, "checks": [{**check, "detail": ""} for check in cell["checks"]]}
        for cell in record["cells"]
    ]
    return {**record, "cells": cells}


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    different = sorted({name for name, _ in before.items() ^ after.items()})
    return [f"changed by grading: {name}" for name in different]


class Live(HTMLParser):
    """Finds the word of the attackers where a browser would run or load it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "iframe"):
            self._inside.append(tag)
        for name, value in attributes:
            if MARK in f"{name}={value}" and name not in ("alt", "title"):
                self.found.append(f"<{tag} {name}={(value or '')[:60]!r}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            self._inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if self._inside and MARK in data:
            self.found.append(f"in <{self._inside[-1]}>: {data[:60]!r}")


def live_parts(text: str) -> list[str]:
    parser = Live()
    parser.feed(text)
    return parser.found


class Watch:
    """Follows the processes of commands: how much memory graders take, and what is left alive."""

    def __init__(self) -> None:
        self.most_bytes = 0
        self.heaviest = ""
        self.seen: dict[int, float] = {}

    @contextlib.contextmanager
    def over(self, process: int) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._follow, args=(psutil.Process(process), done))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _follow(self, root: psutil.Process, done: threading.Event) -> None:
        while not done.wait(0.2):
            with contextlib.suppress(psutil.Error):
                self._look(root)

    def _look(self, process: psutil.Process) -> None:
        """At a process of the grader and those below it; the sandbox has limits of its own."""
        self.seen[process.pid] = process.create_time()
        inside = process.name() == "bwrap"
        if not inside:
            self._weigh(process)
        children = process.children(recursive=inside)
        for child in children:
            with contextlib.suppress(psutil.Error):
                if inside:
                    self.seen[child.pid] = child.create_time()
                else:
                    self._look(child)

    def _weigh(self, process: psutil.Process) -> None:
        held = process.memory_info().rss
        if held > self.most_bytes:
            since = time.time() - self.seen[process.pid]
            self.heaviest = f"{since:.0f} s after its start: {' '.join(process.cmdline())[-120:]}"
            self.most_bytes = held

    def complaints(self) -> list[str]:
        found = []
        deadline = time.monotonic() + 5
        while (left := list(self._alive())) and time.monotonic() < deadline:
            time.sleep(0.1)
        found += [f"still running: {name}" for name in left]
        if self.most_bytes > MAX_GRADER_BYTES:
            found.append(f"a grader held {self.most_bytes >> 20} MB, {self.heaviest}")
        return found

    def _alive(self) -> Iterable[str]:
        for number, created in self.seen.items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(number)
                if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
                    yield f"{number} {process.name()}"
