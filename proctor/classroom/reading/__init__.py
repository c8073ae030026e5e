"""Reading written answers by rubric: what is stored of it, and the pages in the instructor's
JupyterLab (`server` is the extension, which Jupyter finds by this package's name)."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "proctor.classroom.reading"}]


def _load_jupyter_server_extension(app: Any) -> None:
    from proctor.classroom.reading.server import add_handlers

    add_handlers(app.web_app)
