"""own_loss: the cross-entropy of three logits that belong to one student."""

import hashlib

import torch

from proctor.authoring import as_number, grades

FOUR_DECIMALS = 5e-4


def own_logits(student_id):
    """As in the notebook, but out of the reach of whoever rewrites that one."""
    digest = hashlib.sha256(str(student_id).strip().lower().encode()).digest()
    first, second, third = (1 + byte % 9 for byte in digest[:3])
    return [first / 10, (10 + second) / 10, -(20 + third) / 10]


@grades(
    "own_numbers_loss",
    hint="Take the three logits of the id under which you hand in, the first of them for the right"
    " class, and go through the five steps again with four decimals.",
)
def test_own_loss(student, student_id):
    """own_loss is the cross-entropy of the logits that belong to your id."""
    logits = torch.tensor(own_logits(student_id or student.student_id), dtype=torch.float64)
    expected = -logits.log_softmax(dim=0)[0].item()
    found = as_number("own_loss", student.own_loss)
    assert abs(found - expected) <= FOUR_DECIMALS, (
        f"own_loss for {logits.tolist()} should be {expected:.4f}, got {found:.4f}"
    )
