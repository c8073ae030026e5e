"""IPython without a kernel: runs cells, and gathers their outputs as a notebook stores them."""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import importlib
import inspect
import io
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from traitlets import Instance, Type
from traitlets.config import Config

from proctor.inside.drawing import draw_quickly
from proctor.inside.outputs import MAX_OUTPUT_BYTES, Outputs, Place


class TimeUp(BaseException):
    """A cell or a call took longer than its limit. Not an Exception, so that `except Exception`
    in a student's loop does not swallow it."""


@dataclass
class Limit:
    reached: bool = False


@contextlib.contextmanager
def time_limit(seconds: float, what: str) -> Iterator[Limit]:
    """Raise TimeUp in the code of this block when SIGALRM comes.

    The trusted side has it sent once the limit of so many `seconds` is reached, and again and
    again, for code that swallows the first. Code that swallows them all is ended from outside.
    """

    limit = Limit()

    def interrupt(_signal: int, _frame: Any) -> None:
        limit.reached = True
        raise TimeUp(f"{what} took longer than its {seconds:g} s and was stopped")

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield limit
    finally:
        signal.signal(signal.SIGALRM, previous)


def be_interrupted_by_nothing() -> None:
    """The signal to stop may come when there is nothing to stop any more."""
    signal.signal(signal.SIGALRM, lambda _signal, _frame: None)


def as_json(bundle: dict[str, Any]) -> dict[str, Any]:
    """A bundle of representations as JSON: images as base64, what is no JSON as its text."""
    clean: dict[str, Any] = {}
    for key, value in bundle.items():
        if isinstance(value, bytes):
            clean[str(key)] = base64.b64encode(value).decode("ascii")
            continue
        try:
            clean[str(key)] = json.loads(json.dumps(value))
        except (TypeError, ValueError, RecursionError):
            clean[str(key)] = str(value)
    return clean


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a notebook."""

    encoding = "utf-8"

    def __init__(self, shell: Shell, name: str, descriptor: int):
        super().__init__()
        self.shell = shell
        self.name = name
        self.descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.descriptor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.shell.absorb_descriptors()
        self.shell.outputs.write(self.name, text)
        return len(text)


class ResultHook(DisplayHook):
    """Turns the value of a cell's last expression into an `execute_result`."""

    shell: Shell

    def start_displayhook(self) -> None:
        self.result: dict[str, Any] = {}

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        self.result = {"data": as_json(format_dict), "metadata": as_json(md_dict or {})}

    def finish_displayhook(self) -> None:
        self.shell.absorb_descriptors()
        if self.result:
            output = {
                "output_type": "execute_result",
                "execution_count": self.prompt_count,
                **self.result,
            }
            self.shell.outputs.display(output)


class Publisher(DisplayPublisher):
    """Turns `display(...)` into `display_data`."""

    shell: Shell

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,
        *,
        transient: Any = None,
        update: Any = False,
        **_: Any,
    ) -> None:
        self.shell.absorb_descriptors()
        data, metadata = as_json(data), as_json(metadata or {})
        display_id = (transient or {}).get("display_id")
        if update:
            self.shell.outputs.update(str(display_id), data, metadata)
            return
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        self.shell.outputs.display(output, display_id)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.absorb_descriptors()
        self.shell.outputs.clear(wait)


class Compiler(CachingCompiler):
    """Gives cells file names as a kernel does: warnings and tracebacks show them."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        digest = hashlib.sha256(raw_code.encode("utf-8", errors="replace")).hexdigest()
        name = f"/tmp/ipykernel_{os.getpid()}/{digest[:10]}.py"
        # Else each frame of a traceback has `inspect` look through all modules, thousands of
        # them: an endless recursion would take ten seconds to show.
        inspect.modulesbyfile[name] = "__main__"
        return name


# Of literals that Python warns of when it parses them, once more each time.
WARNED_OF = re.compile(r"\\|\d\.?(?:and|else|for|if|in|is|not|or)\b")


class Transformer(TransformerManager):
    """As IPython's own, but what is plain Python, in which no `%magic`, `!command` or `help?` can
    be, is not taken apart by Python's slow tokenizer to look for them."""

    standard = tuple(TransformerManager().token_transformers)

    def do_token_transforms(self, lines: list[str]) -> list[str]:
        if tuple(self.token_transformers) == self.standard and is_python("".join(lines)):
            return lines
        return super().do_token_transforms(lines)


def is_python(text: str) -> bool:
    if WARNED_OF.search(text):
        return False  # nothing is known of it
    try:
        ast.parse(text)
    except Exception:  # noqa: BLE001 - whatever it is, it will be seen when the cell is compiled
        return False
    return True


class Shell(InteractiveShell):
    """The shell of a notebook. Made once, in the warm process; every session runs a fork of it."""

    compiler_class = Type(Compiler)
    displayhook_class = Type(ResultHook)
    display_pub_class = Type(Publisher)
    input_transformer_manager = Instance(Transformer, ())

    def __init__(self, **settings: Any):
        self.outputs = Outputs()
        self.shown: dict[str, list[Place]] = {}  # displays that a later cell may update
        self.descriptor_files: list[tuple[str, int]] = []
        super().__init__(**settings)

    def run(self, source: str, seconds: float) -> tuple[list[dict[str, Any]], str]:
        """Run one cell. Returns its outputs and "ok", "error" or "late"."""
        self.outputs = Outputs(self.shown)
        number = self.execution_count
        limit = Limit()
        try:
            with time_limit(seconds, "this cell") as limit:
                result = self.run_cell(source, store_history=True)
            status = "ok" if result.success else "error"
        except BaseException as error:  # noqa: BLE001 - what the shell itself let through
            self.report(error)
            status = "error"
        if status == "error" and limit.reached:
            status = "late"
        self.absorb_descriptors()
        outputs = self.outputs.finish()
        for display_id, places in self.outputs.places().items():
            self.shown[display_id] = [(number, place) for place in places]
        return outputs, status

    def report(self, error: BaseException) -> None:
        name, text = type(error).__name__, str(error)
        self.outputs.fail(name, text, [f"{name}: {text}"])

    def redirect(self) -> None:
        """Point `sys.stdout`, `sys.stderr` and file descriptors 1 and 2 at this shell's outputs.

        What is written to a descriptor (by C code, by a child process) goes to a file without a
        name, read back before each later output: no thread is needed, so forks stay safe.
        """
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            with tempfile.TemporaryFile() as file:
                os.set_inheritable(file.fileno(), True)
                os.dup2(file.fileno(), descriptor)
            self.descriptor_files.append((name, descriptor))
            setattr(sys, name, Stream(self, name, descriptor))

    def absorb_descriptors(self) -> None:
        for name, descriptor in self.descriptor_files:
            try:
                size = os.fstat(descriptor).st_size
                if not size:
                    continue
                data = os.pread(descriptor, min(size, MAX_OUTPUT_BYTES), 0)
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
            except OSError:
                continue  # the student's code closed or replaced it
            self.outputs.write(name, data.decode("utf-8", errors="replace"))

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: Any = None,
        tb_offset: Any = None,
        exception_only: Any = False,
        running_compiled_code: Any = False,
    ) -> None:
        _, error, _ = self._get_exc_info(exc_tuple)
        if not isinstance(error, TimeUp):
            super().showtraceback(
                exc_tuple, filename, tb_offset, exception_only, running_compiled_code
            )
            return
        be_interrupted_by_nothing()  # not once more while this is told
        self.absorb_descriptors()
        self.report(error)  # where the engine stopped it is of no use to a reader

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        self.absorb_descriptors()
        self.outputs.fail(str(etype.__name__), str(evalue), [str(line) for line in stb])

    @contextlib.contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        # IPython's own keeps every printed byte for its history.
        yield

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no window to show: figures are drawn inline."""

    def raw_input(self, prompt: str = "") -> str:
        raise StdinNotImplementedError("input() does not work while a notebook is graded")

    def ask_exit(self) -> None:
        """`exit()` ends a kernel; here the next cell runs all the same."""

    def leave_out_figures(self) -> None:
        """Draw no figure from now on: a figure shows as its text alone, which costs nothing."""
        assert self.display_formatter is not None
        self.display_formatter.formatters["image/png"].pop(Figure, None)


def make_shell() -> Shell:
    """The shell, ready to be forked: inline figures on, nothing kept on disk."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.autoawait = True
    config.InteractiveShell.colors = "neutral"
    shell = Shell.instance(config=config)
    shell.user_ns["input"] = shell.raw_input
    draw_quickly()
    shell.enable_matplotlib("inline")
    rehearse(shell)
    return shell


def rehearse(shell: Shell) -> None:
    """Import and build what the first cell and the first figure of a notebook need."""
    importlib.import_module("IPython.core.logger")  # for the first cell that is kept
    shell.run_cell("None", silent=True)
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2], [1, 10], label="x")
    axes.set(title="x", yscale="log")
    axes.legend()
    assert shell.display_formatter is not None
    shell.display_formatter.format(figure)
