"""Pictures that a student pasted into a text: which are kept. A photo can be an answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

MAX_PICTURES = 10  # of one cell
MAX_CHARACTERS = 4_000_000  # of one picture, in base64: 3 MB
MAX_NAME = 200
# How the bytes of each kind begin. SVG can hold scripts, so it is none of them.
KINDS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}


def kept_pictures(attachments: Any) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The attachments of a cell, in notebooks' own form, that are pictures of a sensible size; and
    why others are not among them, in a few harmless words each."""
    kept: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for name, bundle in attachments.items() if isinstance(attachments, Mapping) else ():
        found = picture_in(bundle)
        if len(name) > MAX_NAME:
            left_out.append("a picture's name is too long")
        elif not is_readable(name):
            left_out.append(f"{name[:40]!a} is no name")
        elif isinstance(found, str):
            left_out.append(f"{name[:40]!a} {found}")
        elif len(kept) == MAX_PICTURES:
            left_out.append(f"{name[:40]!a} is one of more than {MAX_PICTURES}")
        else:
            kept[name] = found
    return kept, left_out


def is_readable(name: str) -> bool:
    """Whether it can be written into a file: JSON can hold halves of characters, which cannot."""
    return name.encode("utf-8", errors="replace").decode("utf-8") == name


def picture_in(bundle: Any) -> dict[str, str] | str:
    """The one picture in an attachment, or what is wrong with it."""
    if not isinstance(bundle, Mapping):
        return "is not a picture"
    for kind, beginning in KINDS.items():
        data = bundle.get(kind)
        if isinstance(data, list) and all(isinstance(line, str) for line in data):
            data = "".join(data)
        if not isinstance(data, str):
            continue
        if len(data) > MAX_CHARACTERS:
            return f"is larger than {MAX_CHARACTERS * 3 // 4_000_000} MB"
        data = "".join(data.split())
        try:
            found = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return "cannot be read"
        return {kind: data} if found.startswith(beginning) else f"is not a {kind[6:].upper()}"
    return "is not a PNG, JPEG or GIF"


def attached_pictures(cell: Mapping[str, Any]) -> dict[str, str]:
    """The pictures of a cell, by name, as `data:` addresses."""
    kept, _ = kept_pictures(cell.get("attachments"))
    return {
        name: f"data:{kind};base64,{data}"
        for name, bundle in kept.items()
        for kind, data in bundle.items()
    }
