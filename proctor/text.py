"""Text that came from a submission, made fit for a person's eyes."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 2000


def plain(text: str | None, most: int = MAX_CHARACTERS) -> str:
    """One line of printable characters, cut to length: nothing that a terminal would obey."""
    shown = "".join(
        character if unicodedata.category(character)[0] not in "CZ" else " "
        for character in (text or "")[: 4 * most]
    )
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else shown[: most - 4] + " ..."
