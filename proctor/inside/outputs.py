"""The outputs of a cell, gathered as a notebook stores them, within caps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_OUTPUT_BYTES = 2 << 20
MAX_OUTPUTS = 1000
MAX_ERROR_CHARACTERS = 20_000

Place = tuple[int, int]  # the number of a cell, and the place of an output in it


class Outputs:
    """The outputs of one cell in nbformat's form. What goes over the caps is dropped."""

    def __init__(self, shown_before: Mapping[str, list[Place]] | None = None) -> None:
        self.shown_before = shown_before or {}  # by earlier cells, which may be updated from here
        self.updates: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.items: list[dict[str, Any]] = []
        self.pieces: list[str] = []  # text of the newest stream, joined when the stream ends
        self.displays: dict[str, list[dict[str, Any]]] = {}
        self.size = 0
        self.cut = False
        self.clear_before_next = False

    def write(self, stream: str, text: str) -> None:
        if not text or not self._admit(len(json.dumps(text))):
            return
        self._clear_if_waiting()
        newest = self.items[-1] if self.items else None
        if newest is None or newest["output_type"] != "stream" or newest["name"] != stream:
            self._end_stream()
            self._append({"output_type": "stream", "name": stream, "text": ""})
        self.pieces.append(text)

    def display(self, output: dict[str, Any], display_id: str | None = None) -> None:
        if not self._admit(len(json.dumps(output))):
            return
        self._clear_if_waiting()
        self._end_stream()
        self._append(output)
        if display_id is not None:
            self.displays.setdefault(display_id, []).append(output)

    def fail(self, name: str, text: str, traceback: list[str]) -> None:
        """The cell's error. It is shown even where the output before it was cut."""
        text = text[:MAX_ERROR_CHARACTERS]
        traceback = "\n".join(traceback)[:MAX_ERROR_CHARACTERS].split("\n")
        self._end_stream()
        self._append(
            {"output_type": "error", "ename": name, "evalue": text, "traceback": traceback}
        )

    def update(
        self, display_id: str | None, data: dict[str, Any], metadata: dict[str, Any]
    ) -> None:
        shown = self.displays.get(display_id, []) if display_id is not None else []
        before = [] if display_id is None else self.shown_before.get(display_id, [])
        if self._admit(len(json.dumps([data, metadata])) * (len(shown) + len(before))):
            for output in shown:
                output.update(data=data, metadata=metadata)
            if before and display_id is not None:
                self.updates[display_id] = data, metadata

    def clear(self, wait: bool) -> None:
        if wait:
            self.clear_before_next = True
            return
        self._end_stream()
        self.items.clear()
        self.displays.clear()

    def finish(self) -> list[dict[str, Any]]:
        self._end_stream()
        if self.cut:
            text = f"[output cut: a cell keeps {MAX_OUTPUT_BYTES >> 20} MB of output]\n"
            self.items.append({"output_type": "stream", "name": "stderr", "text": text})
        return self.items

    def places(self) -> dict[str, list[int]]:
        """Where the displays that may be updated later stand among the outputs."""
        numbers = {id(output): number for number, output in enumerate(self.items)}
        return {
            display_id: [numbers[id(output)] for output in shown if id(output) in numbers]
            for display_id, shown in self.displays.items()
        }

    def updated_places(self) -> list[list[Any]]:
        """What earlier cells show now: cell, place among its outputs, data and metadata."""
        return [
            [cell, place, data, metadata]
            for display_id, (data, metadata) in self.updates.items()
            for cell, place in self.shown_before[display_id]
        ]

    def _admit(self, size: int) -> bool:
        self.size += size
        if self.size > MAX_OUTPUT_BYTES or len(self.items) >= MAX_OUTPUTS:
            self.cut = True
        return not self.cut

    def _append(self, output: dict[str, Any]) -> None:
        self.items.append(output)

    def _clear_if_waiting(self) -> None:
        if self.clear_before_next:
            self.clear_before_next = False
            self.clear(wait=False)

    def _end_stream(self) -> None:
        if self.pieces:
            self.items[-1]["text"] = "".join(self.pieces)
            self.pieces = []
