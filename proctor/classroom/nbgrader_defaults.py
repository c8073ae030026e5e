"""What a course sets so that nbgrader grades with proctor: its nbgrader_config.py calls this.

Each line is an option of nbgrader or nbconvert that a course may still set otherwise, below that
call.
"""

from __future__ import annotations

import os
import sysconfig
import warnings
from pathlib import Path

from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from proctor.classroom.class_lists import read_what_spreadsheets_write
from proctor.classroom.exchange import guard_exchange
from proctor.classroom.formgrader_seams import quicken_formgrader
from proctor.classroom.nbgrader_seams import guard_submissions, take_path_as_it_is
from proctor.pages.formgrader import NBGRADER_TEMPLATES, TEMPLATES


def use_proctor(c: Config, course: str | Path) -> None:
    """Let nbgrader's commands grade the course in this folder, or with this file in it, with
    proctor."""
    place = Path(course).resolve()
    c.CourseDirectory.root = str(place.parent if place.is_file() else place)
    prepare_this_process(c.CourseDirectory.root)
    release_with_named_stubs(c)
    grade_in_sandbox(c)
    exchange_with_platforms(c)
    make_safe_pages(c)


def prepare_this_process(course: str) -> None:
    """Replace what nbgrader offers no hook for, and let it find its own programs."""
    guard_exchange()
    guard_submissions()
    quicken_formgrader()
    read_what_spreadsheets_write()
    take_path_as_it_is(course)
    # nbgrader calls `alembic` by name; it lies beside nbgrader, in an environment that need not be
    # activated.
    scripts = sysconfig.get_path("scripts")
    if scripts not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])
    # nbgrader's gradebook and SQLAlchemy 2.1 get along, with many words that say nothing to a
    # person.
    warnings.filterwarnings(
        "ignore", message="Object of type .* not in session", category=SAWarning
    )


def release_with_named_stubs(c: Config) -> None:
    """Stubs name their exercise. The release is made anew each time, so that it and the gradebook
    never tell different stories."""
    c.GenerateAssignment.force = True
    c.GenerateAssignment.preprocessors = [
        "nbgrader.preprocessors.IncludeHeaderFooter",
        "nbgrader.preprocessors.LockCells",
        "proctor.classroom.preprocessors.ClearSolutionsByName",
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.CheckCellMetadata",
        "nbgrader.preprocessors.ComputeChecksums",
        "nbgrader.preprocessors.SaveCells",
        "nbgrader.preprocessors.ClearHiddenTests",
        "nbgrader.preprocessors.ClearMarkScheme",
        "nbgrader.preprocessors.ComputeChecksums",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    c.ClearSolutions.code_stub = {
        "python": "# YOUR CODE HERE\n"
        'raise NotImplementedError("exercise {grade_id} is not solved yet")',
    }


def grade_in_sandbox(c: Config) -> None:
    """Submissions are read with care, rebuilt from the release and marked in the sandbox. The
    labels of their cells are the release's, which `generate_assignment` checked."""
    c.Autograde.exporter_class = "proctor.classroom.preprocessors.SubmissionExporter"
    c.Autograde.post_convert_hook = "proctor.classroom.preprocessors.write_records"
    c.Autograde.sanitize_preprocessors = []
    c.Autograde.autograde_preprocessors = [
        "proctor.classroom.preprocessors.MarkInSandbox",
        "nbgrader.preprocessors.LimitOutput",
        "proctor.classroom.reading.storing.SaveGrades",
        "proctor.classroom.deadlines.penalties.AssignLatePenalties",
    ]
    c.AssignLatePenalties.plugin_class = "proctor.classroom.deadlines.penalties.LatePenalty"


def exchange_with_platforms(c: Config) -> None:
    """Archives of Canvas and Moodle: unpacked within limits, and nothing is dropped without a
    word. Tables keep what stands in a name in its column."""
    c.ExportApp.plugin_class = "proctor.platforms.exporters.GradesExportPlugin"
    c.ZipCollectApp.extractor_plugin = "proctor.platforms.unpacking.CarefulExtractor"
    c.ZipCollectApp.collector_plugin = "proctor.platforms.collecting.PlatformCollector"


def make_safe_pages(c: Config) -> None:
    """Feedback and Formgrader show text and outputs of students: cleaned after they became HTML,
    within bounds for each page.
    Both work without the internet; the rubric of a written answer is on Formgrader's page alone."""
    c.GenerateFeedback.preprocessors = ["proctor.classroom.preprocessors.GetGradesGiven"]
    c.GenerateFeedback.exporter_class = "proctor.pages.formgrader.FeedbackExporter"
    c.HTMLExporter.sanitize_html = True
    c.HTMLExporter.preprocessors = ["proctor.pages.bounded.NewPage"]
    c.HTMLExporter.filters = {
        "markdown2html": "proctor.pages.pictures.cell_to_html",
        "clean_html": "proctor.pages.bounded.clean_html",
        "highlight_code": "proctor.pages.bounded.highlight_code",
        "ansi2html": "proctor.pages.bounded.ansi_to_html",
        "returned": "proctor.pages.returned.returned",
        "placed": "proctor.pages.returned.placed",
        "with_code": "proctor.pages.feedback.with_code",
        "in_points": "proctor.text.points",
        "rubric": "proctor.pages.formgrader.rubric",
        "accessible": "proctor.pages.formgrader.accessible",
    }
    c.HTMLExporter.extra_template_basedirs = [TEMPLATES, NBGRADER_TEMPLATES]
    c.HTMLExporter.extra_template_paths = [NBGRADER_TEMPLATES]
