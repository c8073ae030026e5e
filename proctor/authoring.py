"""The one door for authors: everything that graders and labelled answers import.

A grader is a pytest test marked with `grades`; the fixtures `student`, `generator`, `student_id`,
`answer_text`, `flag`, `passed` and `paid_once` come with it. Labelled answers are made with `right`
and `wrong`, and probes with `call`, `loop` and `value`. Questions to students about their own code
are marked with `asks`. What is not named here may change without notice.
"""

from __future__ import annotations

from proctor.grading.asking import assert_own_answer
from proctor.grading.assertions import (
    Fault,
    as_number,
    as_vector,
    assert_agrees,
    assert_close,
    assert_dtype,
    assert_gradients_like,
    assert_inputs_unchanged,
    assert_like,
    assert_no_host_copies,
    assert_no_loop,
    assert_on_device,
    assert_right_gradient_on_device,
    assert_right_on_device,
    assert_same_on_device,
    assert_shape,
    assert_tensor,
    gradient_of,
    gradients_of,
    sizes,
    tolerance,
    two_sizes,
    whole_number,
)
from proctor.grading.claims import Claims, Statements
from proctor.grading.connection import CallFacts, Raised, StudentError
from proctor.grading.desk import StandIn, grades
from proctor.grading.diagnosis import call, describe, loop, observe, value
from proctor.grading.figures import (
    assert_bars,
    assert_labelled,
    assert_line,
    assert_points,
    figure_of,
    table_of,
    the_axes,
)
from proctor.grading.handles import (
    Handle,
    each,
    equals,
    fields_of,
    is_instance,
    text_of,
    train,
    type_name_of,
)
from proctor.grading.labelled import right, wrong
from proctor.grading.questions import Question, asks, draw, draw_targets, shown
from proctor.grading.student import Student
from proctor.wire.values import Foreign, Member, NamedTuple, Source

Kept = Handle  # what `student.keep` gives

__all__ = [
    "CallFacts",
    "Claims",
    "Fault",
    "Foreign",
    "Handle",
    "Kept",
    "Member",
    "NamedTuple",
    "Question",
    "Raised",
    "Source",
    "StandIn",
    "Statements",
    "Student",
    "StudentError",
    "as_number",
    "as_vector",
    "asks",
    "assert_agrees",
    "assert_bars",
    "assert_close",
    "assert_dtype",
    "assert_gradients_like",
    "assert_inputs_unchanged",
    "assert_labelled",
    "assert_like",
    "assert_line",
    "assert_no_host_copies",
    "assert_no_loop",
    "assert_on_device",
    "assert_own_answer",
    "assert_points",
    "assert_right_gradient_on_device",
    "assert_right_on_device",
    "assert_same_on_device",
    "assert_shape",
    "assert_tensor",
    "call",
    "describe",
    "draw",
    "draw_targets",
    "each",
    "equals",
    "fields_of",
    "figure_of",
    "grades",
    "gradient_of",
    "gradients_of",
    "is_instance",
    "loop",
    "observe",
    "right",
    "shown",
    "sizes",
    "table_of",
    "text_of",
    "the_axes",
    "tolerance",
    "train",
    "two_sizes",
    "type_name_of",
    "value",
    "whole_number",
    "wrong",
]
