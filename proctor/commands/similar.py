"""`proctor similar`: which submissions share what is rare. Never a verdict, never near a mark."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING

from proctor.commands.terminal import say
from proctor.course import Course, CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from proctor.classroom.whole_class import Classroom
    from proctor.pages.likeness import Document

SUMMARY = "show which submissions share things that are rare in the class"
EXAMPLES = """
proctor similar mnist_loss
proctor similar mnist_loss --also ../course-2025/submitted --csv > pairs.csv
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--also",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="also compare with another class: a folder like submitted/; may be repeated",
    )
    command.add_argument("--anonymous", action="store_true", help="without students' names")
    command.add_argument("--csv", action="store_true", help="print a row for each pair instead")


def run(options: argparse.Namespace) -> int:
    """Compare, and write the page or print the rows."""
    from proctor.classroom.whole_class import Classroom
    from proctor.course import read_notebook, write_whole
    from proctor.pages.likeness import compare, names_given
    from proctor.pages.similar import similar_csv, similar_page
    from proctor.settings import course_of, load_config

    config = load_config()
    course, assignment = course_of(config), options.assignment
    release = read_notebook(course.release(assignment))
    unread: list[str] = []
    documents = list(documents_of(Classroom(config, course, assignment), release, unread))
    for folder in options.also:
        documents += documents_beside(folder, course, assignment, release, unread)
    if not documents:
        raise CourseError(f"nobody has handed in {assignment} that could be read")
    given = [release, read_notebook(course.reference(assignment))]
    found = compare(documents, given=given, known=known_answers(course, assignment))
    if options.csv:
        print(similar_csv(found, anonymous=options.anonymous), end="")
        return 0
    page = similar_page(
        assignment, found, names_given([release]), unread=unread, anonymous=options.anonymous
    )
    path = course.root / "reports" / f"{assignment}-similar.html"
    write_whole(path, page)
    say(
        f"{counted(found.pairs, 'pair')} in {counted(found.groups, 'group')}, "
        f"of {counted(documents, 'submission')}: "
        f"{path.relative_to(course.root)}"
    )
    return 0


def counted(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"


def documents_of(
    classroom: Classroom, release: NotebookNode, unread: list[str]
) -> Iterator[Document]:
    """What each student of the class wrote; who cannot be read is told in `unread`."""
    for student in classroom.students():
        folder = classroom.folder(student)
        yield from document_in(
            folder, student, classroom.course, classroom.assignment, release, unread
        )


def documents_beside(
    folder: Path, course: Course, assignment: str, release: NotebookNode, unread: list[str]
) -> Iterator[Document]:
    """The submissions of another class, which are not compared with each other."""
    handed_in = sorted(folder.glob(f"*/{assignment}"))
    if not handed_in:
        raise CourseError(f"{folder} holds no STUDENT/{assignment}: name a folder like submitted/")
    for place in handed_in:
        student = f"{folder.parent.name}/{place.parent.name}"
        yield from document_in(
            place, student, course, assignment, release, unread, is_of_class=False
        )


def document_in(
    folder: Path,
    student: str,
    course: Course,
    assignment: str,
    release: NotebookNode,
    unread: list[str],
    is_of_class: bool = True,
) -> Iterator[Document]:
    from proctor.grading.intake import Rejected
    from proctor.grading.modules import MAX_MODULE_BYTES, without_the_courses
    from proctor.grading.rebuilding import rebuild
    from proctor.grading.submitted import read_submitted
    from proctor.pages.likeness import document_of

    try:
        submission = read_submitted(folder, assignment)
        notebook = rebuild(submission.notebook, release).notebook
    except Rejected as error:
        unread.append(f"{student}: {error}")
        return
    beside = course.files_beside(course.release(assignment))
    modules, _ = without_the_courses(submission.modules, beside, MAX_MODULE_BYTES)
    yield document_of(student, notebook, release, is_of_class, modules)


def known_answers(course: Course, assignment: str) -> Sequence[Document]:
    """The labelled answers, where the course has some."""
    from proctor.grading.labelled import answers_file, load_answers
    from proctor.pages.likeness import Document, Part

    if not answers_file(course, assignment).exists():
        return []
    return [
        Document("", (Part(answer.cell, "code", answer.source),))
        for answer in load_answers(course, assignment)
    ]
