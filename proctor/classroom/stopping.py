"""A command is stopped by Ctrl-C, by `kill` or by a terminal that closes: all in the same way."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_as_by_ctrl_c() -> None:
    """Let each of them raise KeyboardInterrupt; what `nohup` has turned off stays so."""
    for number in heeded():
        signal.signal(number, signal.default_int_handler)


@contextlib.contextmanager
def held_interrupts() -> Iterator[None]:
    """Each of them waits until this block is done: what is being stored is stored whole."""
    pressed: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, _frame: pressed.append(number))
        for number in heeded()
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if pressed:
        raise KeyboardInterrupt


def heeded() -> list[signal.Signals]:
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
