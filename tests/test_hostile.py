"""A cross-section of the hostile submissions; `make hostile` runs all of them."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hostile.trial import ATTACKS, MODULES, REPOSITORY, Trial, changes, live_parts, seats_of
from ordinary import as_ordinary_user, can_read_this
from soak import Footprint, grown

CROSS_SECTION = (
    "A01 an object that answers everything",
    "A01 equal to everything",
    "A03 assert dropped",
    "A07 partial credit nan",
    "B01 solutions on the disk",
    "B09 inputs in an exception's text",
    "C02 os._exit",
    "C09 kill everybody",
    "D01 memory, in a call",
    "F05 graded cell twice, before",
    "F10 nested lists",
    "F13 link in place of it",
    "F15 an id that is a formula",
    "G02 frame for a call: a source",
    "H01 live markup",
    "own: modules beside it",
    "own: namespaces, keys, tracing and mounts",
    "own: two formulas, a second chance",
)


def test_no_attack_gains_leaks_or_harms():
    chosen = [attack for attack in ATTACKS if attack.name in CROSS_SECTION]
    assert len(chosen) == len(CROSS_SECTION) == 18
    assert all(any(attack in chosen for attack in module.ATTACKS) for module in MODULES)
    # Sockets lie in its folder for temporary files, and may not lie as deep as those of pytest.
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        report = Trial(Path(folder), chosen, seed=1).run()
    print(report.table())
    assert report.complaints == []


# What depends on whose processes sessions are, for the machine.
FOR_AN_ORDINARY_USER = (
    "B01 solutions on the disk",
    "C09 kill everybody",
    "own: leases on files that are shown",
    "own: every watch of files",
    "own: spared when memory runs out",
    "own: what others read of files",
    "own: its end by a limit of its own",
)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests have just run as an ordinary user")
def test_no_attack_gains_leaks_or_harms_where_an_ordinary_user_grades():
    if not can_read_this():
        pytest.skip("the virtual environment cannot be read by an ordinary user")
    assert set(FOR_AN_ORDINARY_USER) <= {attack.name for attack in ATTACKS}
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        Path(folder).chmod(0o777)
        only = [word for name in FOR_AN_ORDINARY_USER for word in ("--only", name)]
        trial = ["-m", "hostile", "--seed", "1", "--folder", f"{folder}/trial", *only]
        ran = subprocess.run(
            as_ordinary_user([sys.executable, "-B", *trial]),
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests"), "HOME": folder},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    print(ran.stdout)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 gained, 0 leaked, 0 harmed" in ran.stdout


def test_every_attack_stands_between_two_honest_submissions():
    seats = seats_of(ATTACKS, seed=5)
    for place, seat in enumerate(seats):
        if seat.kind == "attack":
            assert {seats[place - 1].kind, seats[place + 1].kind} <= {"right", "partly"}
    assert sum(seat.kind == "attack" for seat in seats) == len(ATTACKS)


def test_the_catalogue_is_covered():
    groups = {match[0] for attack in ATTACKS if (match := re.match(r"[A-Z](?=\d)", attack.name))}
    assert groups >= set("ABCDEFGHIJK")
    assert sum(attack.name.startswith("own: ") for attack in ATTACKS) >= 20
    assert all(module.ATTACKS for module in MODULES)


@pytest.mark.parametrize(
    ("text", "live"),
    [
        ("<script>hostile_mark()</script>", True),
        ("<img src=x onerror='hostile_mark()'>", True),
        ("<a href='javascript:hostile_mark()'>x</a>", True),
        ("<pre>&lt;script&gt;hostile_mark()&lt;/script&gt;</pre>", False),
    ],
)
def test_the_trial_would_see_live_markup(text, live):
    assert bool(live_parts(text)) is live


def test_the_trial_would_see_a_changed_file():
    assert changes({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == ["changed by grading: b"]


def test_every_claim_of_the_security_page_names_what_there_is():
    page = (REPOSITORY / "SECURITY.md").read_text()
    named = re.findall(r"`(test_\w+)?(?:::(test_\w+))?`", page)
    assert len(named) > 20
    file = ""
    for module, test in named:
        file = module or file
        if file:
            text = (REPOSITORY / "tests" / f"{file}.py").read_text()
            assert f"def {test}(" in text or not test, f"{file}::{test}"
    attacks = re.findall(r'"((?:own|two|kept|large)[^"]+)"', page)
    names = [attack.name.removeprefix("own: ") for attack in ATTACKS]
    assert attacks
    assert set(attacks) <= set(names)


def test_the_soak_would_see_growth():
    rest = Footprint(megabytes=500.0, descriptors=60, processes=9, files=1)
    assert grown(rest, rest) == []
    for worse in (
        dataclasses.replace(rest, megabytes=560.0),
        dataclasses.replace(rest, descriptors=64),
        dataclasses.replace(rest, processes=10),
        dataclasses.replace(rest, files=2),
    ):
        assert len(grown(rest, worse)) == 1
