"""What a machine or a container gives: told from the kernel's own files, as they look there."""

import os
from pathlib import Path

import pytest

from proctor.sandbox import bubblewrap, machine, unavailable

MIB = machine.MEGABYTE


@pytest.fixture
def container(tmp_path, monkeypatch):
    """`container({file: text}, "0::/place")`: control groups, as its processes see them."""

    def make(files, groups="0::/\n", affinity=range(16)):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        given = {"/proc/self/cgroup": groups, "/proc/meminfo": "MemAvailable: 16777216 kB\n"}
        read = Path.read_text
        monkeypatch.setattr(
            Path, "read_text", lambda self, **how: given.get(str(self)) or read(self, **how)
        )
        monkeypatch.setattr(machine, "GROUPS", tmp_path)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(affinity))

    return make


@pytest.mark.parametrize(
    ("files", "groups", "cores"),
    [
        ({}, "0::/\n", 16),
        ({"cpu.max": "max 100000\n"}, "0::/\n", 16),
        ({"cpu.max": "200000 100000\n"}, "0::/\n", 2),
        ({"cpu.max": "50000 100000\n"}, "0::/\n", 1),
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 2),
        # The limit of a group around this one counts, too.
        ({"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, "0::/a/b\n", 3),
        # The first version; the place of a container is not always to be seen inside.
        (
            {"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            "4:memory:/\n3:cpu,cpuacct:/docker/12\n0::/\n",
            4,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "3:cpu:/\n", 16),
    ],
)
def test_cores_are_the_share_of_the_container(container, files, groups, cores):
    container(files, groups)
    assert machine.cores() == cores
    assert machine.default_jobs() == cores


def test_no_more_cores_than_this_process_may_use(container):
    container({"cpu.max": "800000 100000\n"}, affinity=range(3))
    assert machine.cores() == 3


def memory(limit, used, cache=0):
    return {
        "memory.max": f"{limit * MIB}\n",
        "memory.current": f"{used * MIB}\n",
        "memory.stat": f"anon 5\ninactive_file {cache * MIB}\n",
    }


def test_memory_is_what_the_container_has_left(container):
    container(memory(2000, 700, cache=200))
    assert machine.free_memory() == 1500 * MIB
    assert machine.default_jobs() == 4
    assert machine.too_little_memory(4) is None
    told = machine.too_little_memory(8)
    assert told == ("8 at a time need about 2300 MB of memory, and 1500 MB are free: -j 4 fits")


def test_too_little_memory_for_one_is_said_and_named_when_the_sandbox_ends_without_a_word(
    container,
):
    container(memory(640, 100))
    assert machine.default_jobs() == 1
    assert "540 MB are free: close other programs, or raise the limit" in machine.too_little_memory(
        1
    )
    assert "540 MB are free" in unavailable.explain("").remedy


def test_memory_of_the_first_version(container):
    container(
        {
            "memory/memory.limit_in_bytes": f"{1000 * MIB}\n",
            "memory/memory.usage_in_bytes": f"{100 * MIB}\n",
            "memory/memory.stat": "total_inactive_file 0\n",
        },
        "2:memory:/\n0::/\n",
    )
    assert machine.free_memory() == 900 * MIB


def test_no_remedy_sends_to_the_command_that_gave_it():
    told = [unavailable.explain(error).remedy for error in ("", "bwrap: something new")]
    told += [remedy for _, remedy in unavailable.REMEDIES]
    assert not [remedy for remedy in told if "doctor" in remedy]


@pytest.mark.parametrize(
    ("users", "root"),
    [
        ("0 0 4294967295\n", True),  # of the machine
        ("0 1000 1\n1 100000 65536\n", True),  # of a container that has many users
        ("0 1000 1\n", False),  # of one that has but one, who is an ordinary user outside
    ],
)
def test_root_that_can_become_nobody_else_starts_as_an_ordinary_user(monkeypatch, users, root):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "read_text", lambda self: users)
    assert bubblewrap.is_root() is root


def test_root_of_the_machine_that_can_become_nobody_else_is_refused(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "read_text", lambda self: "0 0 1\n")
    with pytest.raises(unavailable.SandboxUnavailable, match="Grade as an ordinary user"):
        bubblewrap.is_root()
