"""What of Formgrader's own is replaced so that its pages come at once with 2,000 students.

* A page of grading by hand, and each step to the next one, looks through all submissions of the
  class: nbgrader asks the gradebook for the students of them one by one, 4,000 times.
* The page itself is made by nbconvert's HTMLExporter, which spends nine tenths of its time on
  checks and copies, and on reading the finished page once more.
"""

from __future__ import annotations

from nbgrader.api import Assignment, Gradebook, Notebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.server_extensions.formgrader import formgrader
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from proctor.pages.formgrader import FeedbackExporter

NBGRADER_NOTEBOOK_SUBMISSIONS = Gradebook.notebook_submissions


def quicken_formgrader() -> None:
    """Let Formgrader find a class at once, and make its pages as feedback is made."""
    Gradebook.notebook_submissions = notebook_submissions
    formgrader.HTMLExporter = FeedbackExporter


def notebook_submissions(
    self: Gradebook, notebook: str, assignment: str
) -> list[SubmittedNotebook]:
    """In place of nbgrader's: with the students, for whom everybody asks next."""
    found = self.db.scalars(
        select(SubmittedNotebook)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Notebook.name == notebook, Assignment.name == assignment)
        .options(
            joinedload(SubmittedNotebook.notebook),
            joinedload(SubmittedNotebook.assignment).joinedload(SubmittedAssignment.student),
        )
    )
    return list(found.all())
