"""The extension of the instructor's Jupyter server: the page and what its script asks for.

Login and protection against forged requests are Jupyter's; on a hub, the grader's name is the
hub's. What takes time runs in threads, so that the server goes on answering others.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from proctor.classroom.reading.gradings import Gone, Saving
from proctor.classroom.reading.room import Room
from proctor.classroom.reading.sharing import checked_name
from proctor.classroom.reading.tables import Locked
from proctor.course import CourseError
from proctor.pages.reading import TEMPLATES, page, problem_page

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
ROOM = "proctor_reading_room"
COOKIE = "proctor-grader"
# What Jupyter calls a user who did not say who they are.
ANONYMOUS = re.compile(r"[0-9a-f]{32}")
MAX_BODY = 1_000_000


class Handler(JupyterHandler):
    """Of the pages and of what they ask for."""

    @property
    def content_security_policy(self) -> str:
        return POLICY

    @property
    def room(self) -> Room:
        if ROOM not in self.settings:
            self.settings[ROOM] = Room.here()
        return self.settings[ROOM]

    @property
    def may_choose_name(self) -> bool:
        return ANONYMOUS.fullmatch(self.current_user.username) is not None

    @property
    def grader(self) -> str:
        """Who reads: the hub's user, or on a server of one login whoever they say they are."""
        if not self.may_choose_name:
            return self.current_user.username
        chosen = unquote(self.get_cookie(COOKIE) or "")
        try:
            return checked_name(chosen)
        except CourseError:
            return getpass.getuser()


class Page(Handler):
    """The page itself. Opening it takes a new look at the course."""

    @web.authenticated
    async def get(self, assignment: str, exercise: str | None = None) -> None:
        _ = self.xsrf_token  # sets the cookie that requests of the script need
        self.settings.pop(ROOM, None)
        grader = self.grader
        if self.may_choose_name and (chosen := self.get_query_argument("as", "")):
            grader = checked_name(chosen)
            self.set_cookie(COOKIE, quote(grader), path=self.base_url, samesite="Strict")
        common = {"assignment": assignment, "base_url": self.base_url, "stamp": stamp()}
        try:
            known = await asyncio.to_thread(lambda: self.room.exercises(assignment))
            names = [one.name for one in known]
            if exercise is not None and exercise not in names:
                raise CourseError(f"{assignment} has no written answer {exercise}")
        except CourseError as error:
            self.set_status(503 if isinstance(error, Locked) else 404)
            self.finish(problem_page(**common, message=str(error)))
            return
        self.finish(
            page(
                **common,
                exercise=exercise or names[0],
                exercises=names,
                grader=grader,
                may_choose_name=self.may_choose_name,
            )
        )


class Api(Handler):
    """What the script asks for, as JSON: `{"message": ...}` where it did not work."""

    @web.authenticated
    async def get(self, assignment: str, exercise: str, what: str) -> None:
        asked = self.get_query_argument
        grader, at = self.grader, (assignment, exercise)
        key, yes = asked("key", ""), "1"
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "open": lambda: self.room.open(*at, grader, key or None),
            "answer": lambda: self.room.answer(
                *at, grader, key, number(asked("step", "0")), asked("whole", "") == yes
            ),
            "next": lambda: self.room.next(*at, grader, key or None),
            "alike": lambda: self.room.alike(*at, grader, key, decimal(asked("alike", "0.8"))),
            "list": lambda: self.room.listed(*at, grader),
            "above": lambda: self.room.above(*at, key, asked("all", "") == yes),
        }
        await self.reply(answers.get(what))

    @web.authenticated
    async def post(self, assignment: str, exercise: str, what: str) -> None:
        grader, at = self.grader, (assignment, exercise)
        given = self.given()
        key, version = text(given, "key"), text(given, "version")
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "save": lambda: self.room.save(*at, grader, saving_of(given)),
            "withdraw": lambda: self.room.withdraw(*at, grader, key, version),
            "pass": lambda: self.room.pass_on(*at, grader, key, text(given, "to")),
            "keep": lambda: self.room.keep(*at, grader, key),
            "change": lambda: self.room.change(*at, grader, text(given, "digest")),
            "who": lambda: self.room.who(*at, key),
        }
        if what == "who":
            self.log.info("%s looked up the name behind %s of %s/%s", grader, key, *at)
        await self.reply(answers.get(what))

    def given(self) -> dict[str, Any]:
        try:
            if len(self.request.body) > MAX_BODY:
                raise ValueError("too long")
            given = json.loads(self.request.body, parse_constant=refuse)
            if not isinstance(given, dict):
                raise TypeError("no object")
        except (ValueError, TypeError, RecursionError) as error:
            raise web.HTTPError(400, f"not what the page sends: {error}") from None
        return given

    async def reply(self, answer: Callable[[], dict[str, Any]] | None) -> None:
        if answer is None:
            raise web.HTTPError(404)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        try:
            told = await asyncio.to_thread(answer)
        except CourseError as error:
            self.set_status(503 if isinstance(error, Locked) else 410 if is_gone(error) else 409)
            told = {"message": str(error)}
        self.finish(json.dumps(told))


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def is_gone(error: CourseError) -> bool:
    return isinstance(error, Gone)


def number(value: str) -> int:
    return int(decimal(value))


def decimal(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not abs(found) < 1e9:
        raise web.HTTPError(400, "a number was expected")
    return found


def text(given: dict[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise web.HTTPError(400, f"{name} is no text")
    return value


def saving_of(given: dict[str, Any]) -> Saving:
    """A save as the page sends it."""
    items, also = given.get("items", []), given.get("also", {})
    points, seconds = given.get("points"), given.get("seconds")
    if (
        not isinstance(items, list)
        or not all(type(item) is int for item in items)
        or not isinstance(also, dict)
        or not all(isinstance(version, str) for version in also.values())
        or not all(value is None or type(value) in (int, float) for value in (points, seconds))
    ):
        raise web.HTTPError(400, "not what the page sends")
    return Saving(
        key=text(given, "key"),
        version=text(given, "version"),
        items=items,
        remark=text(given, "remark"),
        points=points,
        seconds=seconds,
        also=also,
    )


def stamp() -> str:
    """Changes when the page's files change, so that no browser keeps old ones."""
    files = sorted([*TEMPLATES.glob("*.css"), *TEMPLATES.glob("*.js")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def add_handlers(app: web.Application) -> None:
    """Let a Jupyter server answer at proctor/read/, and Formgrader lead there."""
    lead_from_formgrader(app)
    base = url_path_join(app.settings["base_url"], "proctor")
    name = r"([A-Za-z0-9][A-Za-z0-9_.-]{0,127})"
    app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "read", name), Page),
            (url_path_join(base, "read", name, name), Page),
            (url_path_join(base, "read-api", name, name, "([a-z]+)"), Api),
            (
                url_path_join(base, "read-static", r"((?:ask|reading|view)\.(?:css|js))"),
                web.StaticFileHandler,
                {"path": str(TEMPLATES)},
            ),
        ],
    )


def lead_from_formgrader(app: web.Application) -> None:
    """Let our templates of Formgrader's pages go before nbgrader's, which they extend."""
    formgrader = app.settings.get("nbgrader_jinja2_env")
    if formgrader is None:
        return
    stock = formgrader.loader
    ours = FileSystemLoader(TEMPLATES.parent / "formgrader")
    formgrader.loader = ChoiceLoader([ours, PrefixLoader({"nbgrader": stock}), stock])
