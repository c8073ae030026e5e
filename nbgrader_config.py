"""How nbgrader works in this course: https://nbgrader.readthedocs.io explains each option.

Student code runs in a sandbox and hidden graders score it (`proctor`), in place of nbgrader's own
execution; its commands, folders and gradebook are used as they are.
"""

import os
import sysconfig
import warnings
from pathlib import Path

from sqlalchemy.exc import SAWarning

from proctor.exchange import guard_exchange
from proctor.pages import NBGRADER_TEMPLATES, TEMPLATES
from proctor.preprocessors import guard_submissions

c = get_config()  # noqa: F821 (given by nbgrader)

# nbgrader calls `alembic` by name; it lies beside nbgrader, in an environment that need not be
# activated.
scripts = sysconfig.get_path("scripts")
if scripts not in os.environ["PATH"].split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])

c.CourseDirectory.course_id = "loss-functions"
c.CourseDirectory.root = str(Path(__file__).resolve().parent)

# nbgrader's gradebook and SQLAlchemy 2.1 get along, with many words that say nothing to a person.
warnings.filterwarnings("ignore", message="Object of type .* not in session", category=SAWarning)

# The exchange of a class: nbgrader's default place, or the folder that c.Exchange.root names.
guard_exchange()

# The release: stubs name their exercise. It is made anew each time, so that it and the gradebook
# never tell different stories.
c.GenerateAssignment.force = True
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.LockCells",
    "proctor.preprocessors.ClearSolutionsByName",
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

# Grading: submissions are read with care, rebuilt from the release and marked in the sandbox. The
# labels of their cells are the release's, which `generate_assignment` checked.
guard_submissions()
c.Autograde.exporter_class = "proctor.preprocessors.SubmissionExporter"
c.Autograde.post_convert_hook = "proctor.preprocessors.write_records"
c.Autograde.sanitize_preprocessors = []
c.Autograde.autograde_preprocessors = [
    "proctor.preprocessors.MarkInSandbox",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
]

# Archives of Canvas and Moodle: unpacked within limits, and nothing is dropped without a word.
c.ZipCollectApp.extractor_plugin = "proctor.unpacking.CarefulExtractor"
c.ZipCollectApp.collector_plugin = "proctor.collecting.PlatformCollector"

# Feedback and Formgrader show text and outputs of students: cleaned after they became HTML. Both
# pages work without the internet; the rubric of a written answer is on Formgrader's alone.
c.GenerateFeedback.preprocessors = ["proctor.preprocessors.GetGradesGiven"]
c.GenerateFeedback.exporter_class = "proctor.pages.FeedbackExporter"
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {
    "markdown2html": "proctor.feedback.markdown_to_html",
    "clean_html": "proctor.feedback.clean_html",
    "exercises": "proctor.pages.exercises",
    "rubric": "proctor.pages.rubric",
}
c.HTMLExporter.extra_template_basedirs = [TEMPLATES, NBGRADER_TEMPLATES]
c.HTMLExporter.extra_template_paths = [NBGRADER_TEMPLATES]
