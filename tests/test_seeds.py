"""Seeds of random inputs: the same for the same file, and nobody who hands one in knows them."""

import os
import stat

import pytest

from proctor.course import Course, CourseError
from proctor.grading import seeds
from proctor.grading.seeds import SECRET, seed_of


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An empty course; the user's own data folder is empty, too."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "course").mkdir()
    return Course(tmp_path / "course")


def test_a_file_has_one_seed_in_a_course_and_another_in_another(course, tmp_path):
    (tmp_path / "other").mkdir()
    other = Course(tmp_path / "other")
    assert seed_of(course, "a" * 64) == seed_of(course, "a" * 64)
    found = {
        seed_of(course, "a" * 64),
        seed_of(course, "b" * 64),
        seed_of(other, "a" * 64),
        seed_of(course, "a" * 64, attempt=1),
        int("a" * 12, 16),  # what the hash alone would give
    }
    assert len(found) == 5
    assert all(0 <= seed < 2**48 for seed in found)


def test_the_secret_is_made_once_for_its_owner_alone(course):
    seed_of(course, "a")
    place = course.root / SECRET
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    made = place.read_bytes()
    assert len(made) >= 32
    seed_of(course, "b")
    assert place.read_bytes() == made
    assert os.listdir(course.root) == [SECRET]


def test_where_the_course_takes_none_it_lies_in_the_users_data(course, tmp_path, monkeypatch):
    def refuse(place):
        if place.parent == course.root:
            raise PermissionError
        return made(place)

    made = seeds.read_or_make
    monkeypatch.setattr(seeds, "read_or_make", refuse)
    first = seed_of(course, "a")
    [place] = (tmp_path / "data" / "proctor" / "secrets").iterdir()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert seed_of(course, "a") == first


def test_where_none_can_be_kept_there_still_is_one(course, monkeypatch):
    def refuse(_):
        raise PermissionError

    monkeypatch.setattr(seeds, "read_or_make", refuse)
    assert seed_of(course, "a") == seed_of(course, "a")
    assert os.listdir(course.root) == []


def test_a_damaged_secret_is_told(course):
    (course.root / SECRET).write_bytes(b"")
    with pytest.raises(CourseError, match="remove it"):
        seed_of(course, "a")


def test_of_processes_that_make_one_at_once_all_use_the_same(course, monkeypatch):
    """Another process may have made it between the look and the making."""
    link = os.link

    def slower(source, target):
        link(source, target)
        (course.root / SECRET).write_bytes(b"x" * 64)
        raise FileExistsError

    monkeypatch.setattr(seeds.os, "link", slower)
    assert seeds.course_secret(course.root) == b"x" * 64
    assert os.listdir(course.root) == [SECRET]
