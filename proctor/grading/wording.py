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
    (
        r"expected scalar type|Found dtype|have the same dtype|can't be cast to the desired output",
        "two dtypes do not match",
    ),
    (
        r"expected condition to be a boolean tensor",
        "`where` needs a condition of True and False",
    ),
    (r"must be Tensor, not", "a torch function got something that is no tensor"),
    (r"with a bool tensor is not supported", "torch does not subtract True and False"),
    (r"not implemented for '", "torch does not do this with numbers of that dtype"),
    (r"all elements of input should be between 0 and 1", "probabilities lie between 0 and 1"),
    (r"Index tensor must have the same number", "the index needs as many dimensions as the tensor"),
    (r"can be converted to an index", "something that is no whole number is used as an index"),
    (r"too many values to unpack", "there are more values than names for them"),
    (r"unsupported operand type", "an operator got something that it does not work on"),
    (r"unexpected keyword argument", "a call names an argument that the function does not have"),
    (r"maximum recursion depth", "a function calls itself without an end"),
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
