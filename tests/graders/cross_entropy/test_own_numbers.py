"""own_loss: the cross-entropy of three logits that belong to one student."""

import hashlib

import torch

from proctor.authoring import Fault, as_number, grades

FOUR_DECIMALS = 5e-4


def own_logits(student_id):
    """As in the notebook, but out of the reach of whoever rewrites that one."""
    digest = hashlib.sha256(str(student_id).strip().lower().encode()).digest()
    first, second, third = (1 + byte % 9 for byte in digest[:3])
    return [first / 10, (10 + second) / 10, -(20 + third) / 10]


def loss_of(student_id):
    logits = torch.tensor(own_logits(student_id), dtype=torch.float64)
    return -logits.log_softmax(dim=0)[0].item()


def typed_id(student):
    typed = student.student_id if student.has("student_id") else None
    return str(typed) if isinstance(typed, str | int) else None


@grades(
    "own_numbers_loss",
    hint="Take the three logits of your id, the first of them for the right class, and go through"
    " the five steps again with four decimals.",
)
def test_own_loss(student, student_id):
    """own_loss is the cross-entropy of the logits that belong to the id you typed."""
    found = as_number("own_loss", student.own_loss)
    fitting = [one for one in (student_id, typed_id(student)) if one is not None]
    expected = [loss_of(one) for one in fitting]
    assert any(abs(found - one) <= FOUR_DECIMALS for one in expected), (
        f"own_loss for {fitting} should be one of {expected}, got {found:.4f}"
    )


@grades(
    "own_numbers_loss",
    requires="test_own_loss",
    hint="The arithmetic is right, but it uses the logits of another id. The id that you hand in"
    " under counts here.",
)
def test_own_id(student, student_id):
    """The id is the one under which you hand in."""
    if student_id is None:
        return
    found, expected = as_number("own_loss", student.own_loss), loss_of(student_id)
    if abs(found - expected) > FOUR_DECIMALS:
        raise Fault(
            f"own_loss for {student_id} should be {expected:.4f}, got {found:.4f} by the typed id"
            f" {typed_id(student)!r}",
            "The arithmetic is right for the id that you typed. You hand in under another one.",
        )
