"""What a student is told of an exception's text: a sentence of ours for each that torch or
Python is known to write, and nothing else.

The text itself never gets through: a function chooses it, and could write a hidden input into it.
Which of these sentences it is says a few bits at most, as the exception's type does.
"""

from __future__ import annotations

import re

KNOWN = (
    (r"The size of tensor a \(\d+\) must match", "the sizes of two tensors do not match"),
    (r"mat1 and mat2 shapes cannot be multiplied", "the sizes do not fit a matrix product"),
    (r"size mismatch|inconsistent tensor size", "the sizes of two tensors do not fit"),
    (
        r"shape '.*' is invalid for input of size",
        "the new shape does not have room for as many numbers",
    ),
    (r"shape mismatch: indexing tensors", "the indices do not have the same length"),
    (r"Dimension out of range", "there is no such dimension (`dim`)"),
    (r"index \S+ is out of bounds", "an index is past the end"),
    (r"list index out of range", "an index is past the end of a list"),
    (r"'NoneType' object|not NoneType|and 'NoneType'|'NoneType' and", "something there is None"),
    (
        r"element 0 of tensors does not require grad",
        "`backward()` finds no way back to anything that requires a gradient",
    ),
    (
        r"grad can be implicitly created only for scalar outputs",
        "`backward()` needs a single number, and got several",
    ),
    (
        r"a leaf Variable that requires grad is being used in an in-place operation",
        "something that requires a gradient is changed in place outside `torch.no_grad()`",
    ),
    (
        r"Can't call numpy\(\) on Tensor that requires grad",
        "NumPy cannot take a tensor that requires a gradient",
    ),
    (r"Boolean value of Tensor with more than one value", "`if` got a tensor with several values"),
    (
        r"a Tensor with \d+ elements cannot be converted to Scalar|only one element tensors can be",
        "a tensor of several numbers is used as a single one",
    ),
    (
        r"could not infer output dtype|Input dtype must be either a floating point",
        "`mean` needs floating-point numbers, not integers or booleans",
    ),
    (r"Expected all tensors to be on the same device", "two tensors are on different devices"),
    (r"expected scalar type|Found dtype|have the same dtype", "two dtypes do not match"),
    (r"missing \d+ required positional argument", "a call has too few arguments"),
    (r"takes \d+ positional arguments? but \d+ (was|were) given", "a call has too many arguments"),
    (r"object is not callable", "something is called that is not a function"),
    (r"has no attribute", "there is no attribute of that name"),
)


def in_plain_words(text: str) -> str | None:
    """What an exception's text means, where it is one that is known."""
    for pattern, sentence in KNOWN:
        if re.search(pattern, text[:2000]):
            return sentence
    return None
