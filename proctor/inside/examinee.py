"""The process a student's code runs in: executes cells, answers calls to the student's functions.

The warm process calls `prepare` once; every session, forked from it, calls `serve`. The checks of
a submission run in "questions": forks of the session after its cells, so that a crash or a changed
global costs one question. Nothing that leaves this process is trusted by the other side.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import numpy
import torch

from proctor.inside import accelerator, datasets
from proctor.inside.changes import Watch, held_by_libraries
from proctor.inside.questions import Question, end_forks_of
from proctor.inside.shell import Shell, be_interrupted_by_nothing, make_shell
from proctor.wire.errors import WireError
from proctor.wire.frames import Channel
from proctor.wire.names import Facts, facts_of, not_missed

SEED = 0


def prepare() -> None:
    """What is the same for every session, done once before the forks."""
    make_shell()
    datasets.read_once()
    held_by_libraries()
    # The first time, torch notes where the call came from, line by line.
    seed_everything()
    repr(torch.zeros(1))  # it imports what it takes to show a tensor


def serve(channel: Channel) -> None:
    """Answer the trusted side until it hangs up; never returns."""
    shell = Shell.instance()
    shell.redirect()
    be_interrupted_by_nothing()
    seed_anew()
    sys.path.insert(0, str(Path.cwd()))  # as in Jupyter: what `%%writefile` wrote can be imported
    watch = Watch(shell.user_ns)
    process = os.getpid()
    while True:
        try:
            message, tensors, descriptors = channel.receive_with_descriptors()
            if message["ask"] == "put":
                answer = put_file(message, tensors)
            else:
                answer = answer_session(shell, watch, channel, message, descriptors)
            end_forks_of(process)
            channel.send(answer)
        except WireError:
            os._exit(0)


def put_file(message: dict[str, Any], pieces: list[torch.Tensor]) -> dict[str, Any]:
    """Add a piece to a file that lies beside the notebook. What the course released is read-only
    once it is whole; modules of the student's a cell may write anew."""
    path = Path(message["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for piece in pieces:
            file.write(piece.numpy().data)
    if not message["more"] and not message["may_be_written"]:
        path.chmod(0o444)
    return {}


def end_other_processes() -> None:
    """What cells and calls have left running is of no use to a question, and fills the session."""
    if os.getpid() != 1:
        return  # without a namespace of its own: others are not the session's
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def seed_everything() -> None:
    random.seed(SEED)
    numpy.random.seed(SEED)
    torch.manual_seed(SEED)


def seed_anew() -> None:
    """For the generators that `seed_everything` has seeded before, in a tenth of its time."""
    random.seed(SEED)
    numpy.random.seed(SEED)
    torch.default_generator.manual_seed(SEED)


def answer_session(
    shell: Shell, watch: Watch, channel: Channel, message: dict[str, Any], descriptors: list[int]
) -> dict[str, Any]:
    ask = message["ask"]
    if ask == "execute":
        if not message["figures"]:
            shell.leave_out_figures()
        shell.execution_count = message["number"]  # cells may have been left out
        outputs, status = shell.run(message["source"], message["seconds"])
        changes = watch.look(ground=message["of_student"])
        updates = shell.outputs.updated_places()
        return {"outputs": outputs, "status": status, "changes": changes, "updates": updates}
    if ask == "not missed":
        return {"cells": cells_not_missed(shell, message)}
    if ask == "question":
        end_other_processes()
        # Here, once for all questions; not only where a tensor moves there: what a right answer
        # sees of the machine would depend on which check was first. Where the student's code has
        # taken the device's place, that costs the checks that use it.
        with contextlib.suppress(Exception):
            accelerator.register()
        process = os.fork()
        if process == 0:
            channel.close()
            connection = socket.socket(fileno=descriptors[0])
            Question(shell, Channel(connection)).serve()
        os.close(descriptors[0])
        return {"process": process}
    raise ValueError(f"a session cannot be asked to {ask!r}")


def cells_not_missed(shell: Shell, message: dict[str, Any]) -> list[int]:
    """Which cells can be left out; none where one of them cannot be looked through."""
    try:
        cells = [
            Facts(*cell) if isinstance(cell, list) else facts_of(cell, shell.transform_cell)
            for cell in message["cells"]
        ]
        return not_missed(cells, message["candidates"], message["students"])
    except Exception:  # noqa: BLE001 - a cell may hold anything
        return []
