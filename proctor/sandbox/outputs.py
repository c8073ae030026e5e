"""What cells printed and showed, rebuilt field by field: nothing else of an answer stays."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from proctor.wire.errors import Malformed

MAX_BUNDLE_BYTES = 4 << 20
MAX_UPDATES = 1000


def clean_output(output: Any) -> dict[str, Any]:
    """An output of a cell as nbformat wants it, rebuilt field by field. Raises Malformed."""
    if not isinstance(output, dict):
        raise Malformed("an output of a cell is not an object")
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": text_of(output.get("text"))}
    if kind == "error":
        traceback = output.get("traceback")
        lines = traceback if isinstance(traceback, list) else []
        return {
            "output_type": "error",
            "ename": text_of(output.get("ename"))[:200],
            "evalue": text_of(output.get("evalue")),
            "traceback": [text_of(line) for line in lines[:1000]],
        }
    if kind not in ("display_data", "execute_result"):
        raise Malformed("an output of a cell is of an unknown type")
    cleaned = {
        "output_type": kind,
        "data": clean_bundle(output.get("data")),
        "metadata": clean_metadata(output.get("metadata")),
    }
    if kind == "execute_result":
        count = output.get("execution_count")
        cleaned["execution_count"] = count if type(count) is int else None
    return cleaned


@dataclass(frozen=True)
class Update:
    """What an earlier cell shows now, at this place among its outputs."""

    cell: int  # counted from 0
    place: int
    data: dict[str, str]
    metadata: dict[str, Any]

    @property
    def shown(self) -> dict[str, Any]:
        return {"data": self.data, "metadata": self.metadata}


def clean_updates(updates: Any) -> list[Update]:
    """What a cell changed in the displays of earlier ones. Raises Malformed."""
    if not isinstance(updates, list) or len(updates) > MAX_UPDATES:
        raise Malformed("the updates of displays are invalid")
    cleaned = []
    for update in updates:
        match update:
            case [int(number), int(place), dict(data), metadata]:
                bundle = clean_bundle(data)
                cleaned.append(Update(number - 1, place, bundle, clean_metadata(metadata)))
            case _:
                raise Malformed("an update of a display is invalid")
    return cleaned


# What a reader may see; scripts, widgets and the like are left out. HTML and markdown are
# sanitised where they are rendered.
SHOWN = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg")


def clean_bundle(data: Any) -> dict[str, str]:
    if not isinstance(data, dict):
        raise Malformed("an output of a cell has no data")
    return {kind: text_of(data[kind]) for kind in SHOWN if kind in data}


def clean_metadata(metadata: Any) -> dict[str, Any]:
    """Only what notebooks use for figures: sizes, and the background they need."""
    cleaned: dict[str, Any] = {}
    if isinstance(metadata, dict):
        if metadata.get("needs_background") in ("light", "dark"):
            cleaned["needs_background"] = metadata["needs_background"]
        for kind in ("image/png", "image/jpeg"):
            sizes = metadata.get(kind)
            if isinstance(sizes, dict):
                cleaned[kind] = {
                    side: sizes[side]
                    for side in ("width", "height")
                    if type(sizes.get(side)) is int and 0 < sizes[side] < 10_000
                }
    return cleaned


def text_of(value: Any) -> str:
    """A text within the cap, without what no file in UTF-8 can hold."""
    if isinstance(value, list):
        with contextlib.suppress(TypeError):
            value = "".join(value)
    if not isinstance(value, str):
        raise Malformed("an output of a cell holds something other than text")
    return value[:MAX_BUNDLE_BYTES].encode("utf-8", errors="replace").decode("utf-8")
