"""A cross-section of the hostile submissions; `make hostile` runs all of them."""

from __future__ import annotations

import re

import pytest
from hostile.trial import ATTACKS, MODULES, Trial, changes, live_parts, seats_of

CROSS_SECTION = (
    "A01 equal to everything",
    "A02 comparisons patched",
    "A03 assert dropped",
    "A04 tests dropped by their text",
    "A07 partial credit nan",
    "A07 partial credit 1e9",
    "F10 five megabytes of lists",
    "F10 nested lists",
    "F12 links beside it",
    "F13 folder is a link",
    "F13 link in place of it",
    "F14 named pipe",
    "F14 sparse file beside it",
    "F15 an id that is a formula",
    "F15 odd file name",
)


def test_no_attack_gains_leaks_or_harms(tmp_path):
    chosen = [attack for attack in ATTACKS if attack.name in CROSS_SECTION]
    assert len(chosen) == len(CROSS_SECTION) == 15
    report = Trial(tmp_path / "trial", chosen, seed=1).run()
    print(report.table())
    assert report.complaints == []


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
