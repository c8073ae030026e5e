"""Student text as HTML, within a bound of time and memory for each page.

What colours code, reads Markdown and cleans HTML is not made for texts that want to be slow. So it
runs in a process of its own, which may take so much of the processor and of memory for a text, and
for all texts of a page. What would take more is shown plain. nbgrader_defaults.py names the filters
below to HTMLExporter, and `NewPage` as what runs first on each page.
"""

from __future__ import annotations

import html
import json
import os
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from nbconvert.preprocessors import Preprocessor

from proctor.wire.linux import memory_in_use

# Processor time; an honest page takes some 0.1 s in all.
TEXT_SECONDS = 2.0
PAGE_SECONDS = 5.0
MOST_BYTES = 300 << 20  # of memory
MOST_CHARACTERS = 1_000_000  # of HTML, of a text and of a page
MOST_CHARACTERS_OF_A_PAGE = 8_000_000
# For a machine that is so busy that this much processor time never comes.
WAIT_SECONDS = 120.0
MOST_TEXTS, MOST_REMEMBERED = 1000, 20_000  # characters

LEFT_OUT = "... left out: this page is full ..."
CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\x1b")  # of a terminal
LENGTH = struct.Struct(">I")


@dataclass
class Room:
    """What is left for the texts of one page."""

    seconds: float = PAGE_SECONDS
    characters: int = MOST_CHARACTERS_OF_A_PAGE


class Renderer:
    """The process that makes HTML of texts, started when first needed. One page at a time."""

    def __init__(self) -> None:
        self.room = Room()
        self._known: dict[tuple[str, str], str] = {}  # most text is the same for all students
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def render(self, kind: str, text: str) -> str:
        """HTML of a text; the text itself, escaped, where that would take too much."""
        with self._lock:
            page = self._known.get((kind, text))
            if page is None:
                page = self._make(kind, text)
            for shown in (page, plain_html(kind, text), plain_html(kind, LEFT_OUT)):
                if shown is not None and len(shown) <= self.room.characters:
                    self.room.characters -= len(shown)
                    return shown
            return ""

    def _make(self, kind: str, text: str) -> str | None:
        """The page, or None where there is no room for it."""
        seconds = min(TEXT_SECONDS, self.room.seconds)
        if seconds <= 0:
            return None
        page, spent = self._ask(kind, text, seconds)
        self.room.seconds -= spent
        if page is None and seconds == TEXT_SECONDS:
            page = plain_html(kind, text)  # on every page
        short = page is not None and len(page) + len(text) <= MOST_REMEMBERED
        if page is not None and short and len(self._known) < MOST_TEXTS:
            self._known[kind, text] = page
        return page

    def _ask(self, kind: str, text: str, seconds: float) -> tuple[str | None, float]:
        """The page, or None where it took too much; and the seconds it took."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, [kind, text, seconds])
            page, spent = receive(process.stdout, time.monotonic() + WAIT_SECONDS)
        except (OSError, EOFError):
            process.kill()
            process.wait()
            return None, seconds
        return (page if page is None or len(page) <= MOST_CHARACTERS else None), spent

    def _started(self) -> subprocess.Popen[bytes]:
        ours = self._process is not None and self._owner == os.getpid()
        if self._process is None or not ours or self._process.poll() is not None:
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "proctor.pages.bounded"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process


RENDERER = Renderer()


class NewPage(Preprocessor):
    """Begins a page: all its room is there."""

    def __call__(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        RENDERER.room = Room()
        return notebook, resources


# The filters of HTMLExporter


def highlight_code(source: str, *_: Any, **__: Any) -> str:
    return RENDERER.render("code", source)


def markdown_to_html(source: str) -> str:
    return RENDERER.render("markdown", source)


def clean_html(markup: str) -> str:
    return RENDERER.render("markup", markup)


def ansi_to_html(text: str) -> str:
    return RENDERER.render("output", text)


def plain_html(kind: str, text: str) -> str:
    """The text itself; output stands in an element of its own already."""
    text = html.escape(CODES.sub("", text))
    return text if kind == "output" else f"<pre>{text}</pre>"


# Between both processes: a length, and that much JSON


def send(pipe: IO[bytes], message: Any) -> None:
    data = json.dumps(message).encode()
    pipe.write(LENGTH.pack(len(data)) + data)
    pipe.flush()


def receive(pipe: IO[bytes], deadline: float | None = None) -> Any:
    """Raises EOFError when the other side is gone, or the time is over."""
    (length,) = LENGTH.unpack(read_exactly(pipe, LENGTH.size, deadline))
    return json.loads(read_exactly(pipe, length, deadline))


def read_exactly(pipe: IO[bytes], size: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        if deadline is not None:
            readable, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise EOFError
        piece = os.read(pipe.fileno(), size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


# In the other process


def main() -> None:
    from nbconvert.filters import Highlight2HTML, ansi2html

    from proctor.pages import feedback

    makers: dict[str, Callable[[str], str]] = {
        "code": Highlight2HTML(pygments_lexer="ipython3"),
        "markdown": feedback.markdown_to_html,
        "markup": feedback.clean_html,
        "output": ansi2html,
    }
    bound_memory()
    with suppress(EOFError):
        while True:
            kind, text, seconds = receive(sys.stdin.buffer)
            before = time.process_time()
            # What comes then ends this process, and nothing can hold it up.
            signal.setitimer(signal.ITIMER_PROF, seconds)
            try:
                page = makers[kind](text)
            except Exception:  # noqa: BLE001 - one text of a student must not end the page
                page = None
            signal.setitimer(signal.ITIMER_PROF, 0)
            send(sys.stdout.buffer, [page, time.process_time() - before])


def bound_memory() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _, data = memory_in_use()
        resource.setrlimit(resource.RLIMIT_DATA, (data + MOST_BYTES, data + MOST_BYTES))


if __name__ == "__main__":
    main()
