"""How nbgrader works in this course: https://nbgrader.readthedocs.io explains each option.

`use_proctor` has nbgrader's own commands grade in a sandbox with hidden graders: it sets
`GenerateAssignment`, `Autograde`, `ZipCollectApp`, `GenerateFeedback` and `HTMLExporter`, line by
line in proctor/classroom/nbgrader_defaults.py. Whatever stands below it has the last word.
"""

from pathlib import Path

from proctor.classroom.nbgrader_defaults import use_proctor

c = get_config()
use_proctor(c, course=Path(__file__).parent)

c.CourseDirectory.course_id = "loss-functions"
c.Grading.packages = ["torch", "matplotlib", "scikit-learn"]
c.Grading.preload = ["torch._dynamo", "sklearn.datasets"]
