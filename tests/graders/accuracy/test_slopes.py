"""slope(f, x_old, x_new) and flat_fraction(f, xs, step), on functions of one number.

flat_fraction is marked against the student's own slope where that one is wrong: as long as it
tells flat places from others, a right use of it earns the points. It is then asked about functions
that are flat at a height of 0: there a slope that rounds, such as that of a fitted line, is 0, too.
Where it does not tell them apart, or raises an error, another one stands in for it.
"""

from dataclasses import dataclass

import torch

from proctor.authoring import StandIn, Student, as_number, grades, whole_number

# Every function takes a Python number or a tensor of shape [], and is exact where a share is
# counted. Its numbers come from the generator.


def number(generator, least, most):
    """A random number with two decimals, written and computed with in the same way."""
    return whole_number(generator, round(100 * least), round(100 * most)) / 100


def line(generator):
    return f"lambda x: {number(generator, 1, 9)} - {number(generator, 1.1, 4)} * x"


def parabola(generator):
    return f"lambda x: {number(generator, 0.3, 2)} * x * x - {number(generator, 0.5, 3)} * x"


def cube(generator):
    return f"lambda x: x * x * x + {number(generator, 0.1, 2)}"


def constant(generator):
    return f"lambda x: 0 * x - {number(generator, 1, 5)}"


def stairs(generator, width):
    """A fall by one at every multiple of `width`."""
    return f"lambda x: {whole_number(generator, 2, 9)} - x // {width}"


def blocks(generator, width):
    """0 on every second of the stairs, some other height on those between them."""
    return f"lambda x: {whole_number(generator, 2, 9)} * (x // {width} % 2)"


def answer(edge, low):
    """Whether one example counts as a 3: this f can only be given one number at a time."""
    return f"lambda x: {low + 1} if x > {edge} else {low}"


def bend(generator, floor):
    """Flat on one side of 0 and rising on the other."""
    return f"lambda x: {whole_number(generator, 1, 4)} * (abs(x) - x) - {floor}"


def value(text, x):
    return eval(text, {})(x)  # noqa: S307 - the texts above


def right_slope(text, x_old, x_new):
    return (value(text, x_new) - value(text, x_old)) / (x_new - x_old)


def assert_slope(student, text, x_old, x_new, expected=None, within=1e-5):
    expected = right_slope(text, x_old, x_new) if expected is None else expected
    result = as_number("slope", student.slope(student.source(text), x_old, x_new))
    assert abs(result - expected) <= within, (
        f"slope of {text} from {x_old} to {x_new} should be {expected}, got {result}"
    )


MAIN = "test_slope_is_rise_over_run"


@grades(
    "slope_values",
    weight=3,
    hint="Draw a line through two points on the curve: by how much does it rise, by how much does x"
    " run, and which of the two is divided by the other?",
)
def test_slope_is_rise_over_run(student, generator):
    """slope is rise over run between two places, near or far."""
    for function in (line, parabola, parabola, cube, constant):
        x_old = number(generator, -3, 2)
        x_new = x_old + number(generator, 0.3, 4)
        assert_slope(student, function(generator), x_old, x_new)
    assert_slope(student, stairs(generator, 0.5), 0.2, 0.8 + number(generator, -0.1, 0.1))
    assert_slope(student, cube(generator), 0.0, number(generator, 1, 3))
    assert_slope(student, line(generator), 1, whole_number(generator, 3, 7))


@grades(
    "slope_values",
    weight=2,
    requires=MAIN,
    hint="Walk the same way backwards: rise and run both change their sign. Does your formula let"
    " them?",
)
def test_slope_backwards(student, generator):
    """slope is right when the new place lies before the old one."""
    for function in (line, cube, parabola):
        x_old = number(generator, 1, 4)
        assert_slope(student, function(generator), x_old, x_old - number(generator, 0.5, 3))


@grades(
    "slope_values",
    requires=MAIN,
    after="test_slope_backwards",
    hint="Give your function tensors of shape [] for the two places: does one of your steps assume"
    " Python's own numbers?",
)
def test_slope_of_tensors(student, generator, passed):
    """slope takes tensors of shape [] as well as Python numbers."""
    directions = (1, -1) if passed("test_slope_backwards") else (1,)  # lost once
    for dtype in (torch.float32, torch.float64):
        for direction in directions:
            x_old = number(generator, -1, 2)
            x_new = x_old + direction * number(generator, 0.5, 2)
            text = parabola(generator)
            places = (torch.tensor(x, dtype=dtype) for x in (x_old, x_new))
            assert_slope(student, text, *places, right_slope(text, x_old, x_new))


@grades(
    "slope_values",
    requires=MAIN,
    hint="Shrink the step to a millionth, and take a curve that hardly rises: does one of your"
    " steps round, or drop small numbers? And what is the slope where both heights are the same?",
)
def test_slope_however_small(student, generator):
    """slope is right for tiny steps and tiny slopes, and exactly 0 where nothing rises."""
    for shrunk in (1e-4, 1e-6):
        text = f"lambda x: {number(generator, 1, 3)} * x * x"
        x_old = number(generator, 0.5, 2)
        assert_slope(student, text, x_old, x_old + shrunk)
    for steepness in (1e-7, -1e-10):
        text = f"lambda x: {steepness * whole_number(generator, 1, 9)} * x"
        x_old = number(generator, -2, 2)
        expected = right_slope(text, x_old, x_old + 0.5)
        assert_slope(student, text, x_old, x_old + 0.5, within=1e-5 * abs(expected))
    for text in (constant(generator), stairs(generator, 0.5)):
        for x_old in (0.05, 0.1, 0.55):
            x_new = x_old + number(generator, 0.1, 0.3)
            assert_slope(student, text, x_old, x_new, expected=0, within=0)


SLOPES = (
    MAIN,
    "test_slope_backwards",
    "test_slope_of_tensors",
    "test_slope_however_small",
)


@dataclass
class Case:
    """A function, points, a step, and from which of the points it ends at the same height."""

    text: str
    points: torch.Tensor
    step: float

    @property
    def is_flat(self):
        points = self.points.tolist()
        return [value(self.text, x + self.step) == value(self.text, x) for x in points]


def shuffled(generator, points, dtype=torch.float64):
    """The points in random order, one or two of them twice."""
    points = torch.tensor(points, dtype=dtype)
    points = torch.cat((points, points[: 1 + len(points) // 8]))
    return points[torch.randperm(len(points), generator=generator)]


def on_stairs(generator, count, width, step):
    """So many points on stairs, from which a step ends clearly within a stair: half of them on the
    same one, which is every second of the stairs, at least one on another."""
    length = abs(step) / width  # less than a stair
    points = []
    for place in range(count):
        crosses = place % 2 == 0
        room = length if crosses else 1 - length
        share = room * (0.1 + 0.8 * torch.rand((), generator=generator).item())
        place_on_stair = 1 - share if crosses else share
        place_on_stair = 1 - place_on_stair if step < 0 else place_on_stair
        stair = whole_number(generator, -20, 20)
        points.append(width * (stair - (0 if crosses else stair % 2) + place_on_stair))
    return points


class RightSlope:
    stairs = staticmethod(stairs)

    def flat_at(self, height):
        return height

    def part_that_is_flat(self, case):
        flat = case.is_flat
        return sum(flat) / len(flat)


class OwnSlope:
    """The student's own, which has to tell flat places from others."""

    names = "`slope`"
    stairs = staticmethod(blocks)

    def __init__(self, student: Student):
        self.student = student

    def flat_at(self, height):
        """Where a function is flat at 0, a slope that rounds is 0 as well."""
        return 0

    def part_that_is_flat(self, case):
        """By the student's own slope; it should not call all points of a case the same where they
        are not."""
        f = self.student.source(case.text)
        flat = [self.is_zero(f, x, x + case.step) for x in case.points]
        if len(set(case.is_flat)) == 2:
            assert len(set(flat)) == 2, f"slope takes all points of {case.text} for the same"
        return sum(flat) / len(flat)

    def is_zero(self, *arguments):
        slope = self.student.slope(*arguments)
        assert isinstance(slope, int | float | torch.Tensor), f"slope gave {slope!r}"
        return torch.as_tensor(slope).eq(0).all().item()


def assert_flat_share(student, case, expected):
    source = student.source(case.text)
    result = as_number("flat_fraction", student.flat_fraction(source, case.points, case.step))
    assert abs(result - expected) <= 1e-5, (
        f"the share of flat points of {case.text} at {case.points}, step {case.step}, should be"
        f" {expected}, got {result}"
    )


# The rise alone is no slope, but 0 where that is.
STAND_IN = StandIn({"slope": "lambda f, x_old, x_new: f(x_new) - f(x_old)"}, lambda _: RightSlope())

MAIN_OF_FLAT = "test_flat_fraction_of_stairs"


@grades(
    "flat_fraction_values",
    weight=3,
    builds_on=SLOPES,
    hint="Take a staircase and five points on paper. From which of them does a step end at another"
    " height? Only the rest are flat, and the share is out of all five.",
)
def test_flat_fraction_of_stairs(student, generator, paid_once):
    """flat_fraction is the share of points from which a step changes nothing."""

    def check(slope):
        for count, step in ((7, 0.1), (whole_number(generator, 20, 60), 0.02), (5, -0.15)):
            points = shuffled(generator, on_stairs(generator, count, 0.5, step))
            case = Case(slope.stairs(generator, 0.5), points, step)
            assert_flat_share(student, case, slope.part_that_is_flat(case))
        for points in (torch.tensor([number(generator, 1, 3)]), torch.tensor([1.0, 2, 4, 2])):
            text = f"lambda x: 0 * x - {slope.flat_at(number(generator, 1, 5))}"
            case = Case(text, points.double(), number(generator, 0.1, 1))
            assert_flat_share(student, case, slope.part_that_is_flat(case))
        case = Case(line(generator), torch.tensor([0.5, 0.75]).double(), 0.25)
        assert_flat_share(student, case, slope.part_that_is_flat(case))

    paid_once(check, RightSlope(), OwnSlope(student), STAND_IN)


@grades(
    "flat_fraction_values",
    weight=2,
    builds_on=SLOPES,
    requires=MAIN_OF_FLAT,
    hint="Is 0.001 the same as 0 for your function, is downhill, or is a place where the function"
    " itself is 0?",
)
def test_flat_fraction_counts_exact_zeros_alone(student, generator, paid_once):
    """flat_fraction counts slopes of exactly 0 alone: nearly flat is not flat."""
    somewhere = [-1.0, -0.5, 0.0, 1.0, 2.0, 1.5]

    def check(slope):
        for steepness, step in ((2e-4, 0.01), (2e-4, 1e-3), (1e-12, 0.25), (1e-9, 1e-6)):
            steepness *= whole_number(generator, 1, 9)
            sign = 1 if whole_number(generator, 0, 1) else -1
            text = f"lambda x: {sign * steepness} * x"
            case = Case(text, shuffled(generator, somewhere), step)
            assert_flat_share(student, case, slope.part_that_is_flat(case))
        points = shuffled(generator, [-4.0, -3.0, -1.0, 0.5, 2.0, 3.5])
        floor = slope.flat_at(2)
        for text in (bend(generator, floor), bend(generator, floor).replace("(abs", "-(abs")):
            case = Case(text, points, 0.25)
            assert_flat_share(student, case, slope.part_that_is_flat(case))
        height = slope.flat_at(0.375)  # at 0.5 and at 1.5
        for text, points, step in (
            (f"lambda x: 0.5 * x * x - x + {0.375 - height}", [-1.0, 0.0, 0.5, 3.0, 0.25], 1.0),
            ("lambda x: x * x * x", [-1.0, 0.0, 2.0], 0.125),
        ):
            case = Case(text, shuffled(generator, points), step)
            assert_flat_share(student, case, slope.part_that_is_flat(case))

    paid_once(check, RightSlope(), OwnSlope(student), STAND_IN)


@grades(
    "flat_fraction_values",
    weight=2,
    builds_on=SLOPES,
    requires=MAIN_OF_FLAT,
    hint="Try an f with an `if` in it: f takes one number at a time. How many does it get from you"
    " in one call?",
)
def test_flat_fraction_of_single_answers(student, generator, paid_once):
    """flat_fraction gives f one number at a time, however many points there are."""

    def check(slope):
        for count in (4, whole_number(generator, 100, 200)):
            edge, step = number(generator, 0.3, 0.6), number(generator, 0.1, 0.2)
            near = edge - step / 2
            apart = [near - 0.9, near - step, near, near + step, near + 0.01]
            points = shuffled(generator, (apart * (count // 4))[:count])
            case = Case(answer(edge, slope.flat_at(number(generator, 0, 1))), points, step)
            assert_flat_share(student, case, slope.part_that_is_flat(case))

    paid_once(check, RightSlope(), OwnSlope(student), STAND_IN)
