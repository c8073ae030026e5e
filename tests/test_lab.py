"""`proctor lab`: two servers that start, answer and stop, and what it says where they cannot."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from proctor.classroom.lab import Lab
from proctor.course import CourseError


def test_both_servers_answer_and_stop_with_ctrl_c(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'small'\n"
    )
    running = subprocess.Popen(
        [Path(sys.executable).with_name("proctor"), "lab", "--student", "student-07"],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said = "".join(next(running.stdout) for _ in range(5))
        instructor, student = re.findall(r"http\S+", said)
        assert "student-07" in said
        for address in (instructor, student):
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert b"JupyterLab" in answer.read()
        formgrader = instructor.replace("/lab?", "/formgrader/manage_assignments?")
        with urllib.request.urlopen(formgrader, timeout=60) as answer:
            page = answer.read()
        assert b"Manage Assignments" in page
        assert b"warning-exchange" not in page
        running.send_signal(signal.SIGINT)
        assert "both stopped" in running.stdout.read()
        assert running.wait(60) == 0
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    for address in (instructor, student):
        # Another server may have the port by now: that one refuses this token.
        with pytest.raises(OSError, match=r"refused|Forbidden"):
            urllib.request.urlopen(address.replace("/lab?", "/api/status?"), timeout=60)


@pytest.fixture
def taken_port():
    """A port that somebody has, as has the next one."""
    with contextlib.ExitStack() as ended:
        while True:
            port = ended.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):  # someone else has the next one
                ended.enter_context(socket.create_server(("127.0.0.1", port + 1)))
                break
        yield port


def test_server_that_lost_its_port_to_another_chooses_anew(tmp_path, taken_port, monkeypatch):
    monkeypatch.setattr(Lab, "servers", property(lambda lab: (lab.instructor,)))
    lab = Lab(tmp_path)
    options, lab.instructor.port = lab.instructor.options, taken_port
    tries = iter([["--ServerApp.port_retries=1"], []])
    lab.instructor.options = lambda: [*options(), *next(tries)]
    with lab:
        assert f":{taken_port}/" not in lab.instructor.url()
    assert next(tries, None) is None


def test_exchange_that_is_not_there_comes_with_its_remedy(tmp_path):
    with pytest.raises(CourseError, match=r"is not there: `mkdir -p .*/nowhere && chmod 777 "):
        Lab(tmp_path, exchange=tmp_path / "nowhere")


def test_exchange_that_cannot_be_written_to_comes_with_its_remedy(tmp_path):
    with pytest.raises(CourseError, match=r"/proc cannot be written to: .*chmod 777 "):
        Lab(tmp_path, exchange=Path("/proc"))


@pytest.mark.parametrize("student", ["", "a+b", "../x", "*", "a b"])
def test_student_id_that_nbgrader_would_stumble_over_is_refused(tmp_path, student):
    with pytest.raises(CourseError, match="cannot be a student's id"):
        Lab(tmp_path, student=student)


def test_server_that_does_not_start_is_told_with_its_last_words(tmp_path):
    lab = Lab(tmp_path)
    lab.instructor.options = lambda: ["--no-such-option=1", "--ServerApp.port=none"]
    with pytest.raises(CourseError, match=r"the server of instructor did not start: .*server\.log"):
        lab.__enter__()
    assert not any(server.is_running() for server in lab.servers)
