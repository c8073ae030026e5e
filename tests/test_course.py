"""The course itself: each notebook keeps its contract, runs, leaks nothing, prints true numbers."""

import ast
import functools
import itertools
import math
import re
import shutil
import struct
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy
import pytest
import torch
from nbclient import NotebookClient
from torch.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    mse_loss,
)
from typed import typed

from proctor.course import Course
from proctor.grading.marking import mark
from proctor.grading.rubric import faults, parse
from proctor.settings import TimeLimits

COURSE = Path(__file__).resolve().parent.parent

# Other tools read these: for each assignment its nbgrader cells that hold answers or points.
CONTRACT = {
    "accuracy": {
        "accuracy": ("solution", None),
        "accuracy_values": ("graded", 2),
        "accuracy_device": ("graded", 1),
        "slope": ("solution", None),
        "slope_values": ("graded", 1),
        "flat_fraction": ("solution", None),
        "flat_fraction_values": ("graded", 2),
        "same_accuracy": ("solution", None),
        "same_accuracy_check": ("graded", 2),
        "claims": ("solution", None),
        "claims_check": ("graded", 3),
        "explain_accuracy": ("written", 4),
    },
    "cross_entropy": {
        "derivation": ("solution", None),
        "derivation_steps": ("graded", 3),
        "derivation_text": ("written", 3),
        "own_numbers": ("solution", None),
        "own_numbers_loss": ("graded", 2),
        "log_softmax": ("solution", None),
        "log_softmax_values": ("graded", 2),
        "cross_entropy": ("solution", None),
        "cross_entropy_values": ("graded", 2),
        "cross_entropy_gradient": ("graded", 2),
        "cross_entropy_device": ("graded", 1),
        "logit_for_loss": ("solution", None),
        "logit_for_loss_values": ("graded", 2),
        "explain_not_zero": ("written", 4),
    },
    "loss_zoo": {
        "mse": ("solution", None),
        "mse_values": ("graded", 1),
        "mse_gradient": ("graded", 1),
        "rmse": ("solution", None),
        "rmse_values": ("graded", 1),
        "rmse_gradient": ("graded", 1),
        "mae": ("solution", None),
        "mae_values": ("graded", 1),
        "bce_with_logits": ("solution", None),
        "bce_values": ("graded", 2),
        "bce_gradient": ("graded", 1),
        "zoo_claims": ("solution", None),
        "zoo_claims_check": ("graded", 3),
        "explain_choice": ("written", 3),
    },
    "mnist_loss": {
        "where_by_hand": ("solution", None),
        "where_by_hand_values": ("graded", 1),
        "mnist_loss": ("solution", None),
        "mnist_loss_values": ("graded", 2),
        "mnist_loss_gradient": ("graded", 2),
        "mnist_loss_device": ("graded", 2),
        "three_ways": ("solution", None),
        "three_ways_check": ("graded", 2),
        "hand_gradient": ("solution", None),
        "hand_gradient_values": ("graded", 1),
        "sigmoid": ("solution", None),
        "sigmoid_values": ("graded", 2),
        "sigmoid_gradient": ("graded", 1),
        "train_epoch": ("solution", None),
        "train_epoch_step": ("graded", 2),
        "train_epoch_learns": ("graded", 2),
        "explain_better": ("written", 3),
    },
}


def accuracy_numbers(notebook):
    """Each number in the prose of accuracy, worked out; `notebook` holds its variables."""
    targets, predictions = notebook["three_targets"], notebook["three_predictions"]
    distances = (predictions - targets).abs()
    is_right = ((predictions > 0.5) == (targets == 1)).float()
    first_a, first_b, second = 1 - 0.6, 1 - 0.9, 0.7  # the example of same_accuracy
    places = torch.tensor([0, 0.5, 0.9, 1.5])
    stays = ((places + 0.25).floor() == places.floor()).float()
    broken, images = notebook["BROKEN_WEIGHT"], len(notebook["digit_targets"])
    accuracy_with, distance_with = notebook["accuracy_with"], notebook["distance_with"]
    after, measure = notebook["weight_after_20_steps"], notebook["mean_distance"]
    mended, surer = after(measure, 1), after(measure, 10)
    slope_with = functools.partial(notebook["slope"], accuracy_with, broken)
    third_at_045 = torch.tensor([0.9, 0.4, 0.45])
    return {
        # the three images, and mistakes that the hints know by their number
        "0.9": predictions[0],
        "0.2": predictions[2],
        "0.8": distances[2],
        "0.6667": is_right.mean(),
        "0.3333": 1 - is_right.mean(),
        "0.5": is_right[targets == 1].mean(),
        "0.5667": 1 - distances.mean(),
        # the square, the stairs, two models with the same accuracy
        "16": 4**2,
        "0.61": 3.1**2 - 3**2,
        "6.1": (3.1**2 - 3**2) / (3.1 - 3),
        "9.2500": 13 - 7 / 4 - 2,  # a slope without parentheses: f(4) - f(2) / 4 - 2
        "1.15": places[2] + 0.25,
        "0.75": stays.mean(),
        "0.25": 1 - stays.mean(),
        "0.1": first_b,
        "0.7": second,
        "0.55": (first_a + second) / 2,
        "0.4": (first_b + second) / 2,
        # the digits and the broken weight
        "64": notebook["digit_images"].shape[1],
        "63": len(notebook["weights"]) - 1,
        "362": notebook["threes_and_sevens"].sum(),
        "0.81": notebook["weights"][53],
        "-2.25": broken,
        "-2.24": broken + 0.01,
        "0.675": accuracy_with(broken),
        "13": images - images * accuracy_with(broken),
        "-0.10": (distance_with(broken + 0.001) - distance_with(broken)) / 0.001,
        "0.95": notebook["flat_in_accuracy"][2],
        "-0.47": mended,
        "2.53": surer,
        "0.05": distance_with(surer),
        "0.2750": slope_with(broken + 1),
        "0.2500": slope_with(broken + 0.1),
        "0.025": 1 / images,  # one image that changes sides
        "10": notebook["ten_weights"].shape[0],
        # the questions at the end
        "0.45": third_at_045[2],
        "0.4333": distances.mean(),
        "0.35": (third_at_045 - targets).abs().mean(),
        "40": images * accuracy_with(mended),
    }


def train_epoch_by(notebook):
    """Losses of the first example of train_epoch: before and after the step, and by mistakes."""
    mnist_loss, sigmoid = notebook["mnist_loss"], notebook["sigmoid"]
    x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]), torch.tensor([1, 0, 1])

    def model():
        return [torch.tensor(start, requires_grad=True) for start in ([0.1, -0.2], 0.3)]

    weights, bias = model()
    scores = (x @ weights + bias).detach()
    before = notebook["train_epoch"](weights, bias, x, y, 0.5)
    after = mnist_loss(sigmoid(x @ weights + bias), y).item()
    raw, twice = mnist_loss(scores, y), mnist_loss(sigmoid(sigmoid(scores)), y)
    weights, bias = model()
    loop = [
        notebook["train_epoch"](weights, bias, x[i : i + 1], y[i : i + 1], 0.5) for i in range(3)
    ]
    return before, after, raw, twice, loop


def mnist_loss_numbers(notebook):
    """Each number in the prose of mnist_loss, worked out; `notebook` holds its variables."""
    targets, predictions = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.9, 0.4, 0.2])
    distances = (predictions - targets).abs()
    improved, slightly_improved = torch.tensor([0.9, 0.4, 0.8]), torch.tensor([0.9, 0.4, 0.4])
    two_distances = (torch.tensor([0.7, 0.6]) - torch.tensor([1.0, 0.0])).abs()
    wrong_score = torch.tensor(-6.0, requires_grad=True)
    (1 - torch.sigmoid(wrong_score)).backward()
    stands_still = [abs(accuracy - 0.5) < 0.005 for accuracy in notebook["accuracies"]]
    at_the_peak, at_the_end = (distances_after(notebook, steps, "train") for steps in (28, 40))
    before, after, raw, twice, loop = train_epoch_by(notebook)
    shown = notebook["valid_predictions"][notebook["order"]]
    misjudged = shown[(shown > 0.5) != (notebook["valid_y"][notebook["order"]] == 1)]
    return {
        # the three images
        "0.9": notebook["three_predictions"][0],
        "0.4": notebook["three_predictions"][1],
        "0.2": notebook["three_predictions"][2],
        "0.1": distances[0],
        "0.8": distances[2],
        "0.4333": distances.mean(),
        "0.43": distances.mean(),
        "0.2333": (improved - targets).abs().mean(),
        "0.3667": (slightly_improved - targets).abs().mean(),
        "0.37": (slightly_improved - targets).abs().mean(),
        # mistakes that the hints know by their number
        "0.5667": torch.where(targets == 1, predictions, 1 - predictions).mean(),
        "1.3": distances.sum(),
        "0.27": mse_loss(predictions, targets),
        "0.7419": binary_cross_entropy(predictions, targets),
        "-0.1667": (predictions - targets).mean(),
        "0.1667": (targets - predictions).mean(),
        "0.4460": (predictions.sigmoid() - targets).abs().mean(),
        "0.85": distances[targets == 1].mean() + distances[targets == 0].mean(),
        # two images, and what a nudge of 0.01 does
        "0.7": 1 - two_distances[0],
        "0.3": two_distances[0],
        "0.6": two_distances[1],
        "0.45": two_distances.mean(),
        "0.005": 0.01 / 2,
        "-0.5": -0.005 / 0.01,
        # the sigmoid
        "-4": 1 - 5,
        "0.5": torch.sigmoid(torch.tensor(0.0)),
        "0.8808": torch.sigmoid(torch.tensor(2.0)),
        "0.1192": torch.sigmoid(torch.tensor(-2.0)),
        "0.2500": torch.sigmoid(torch.tensor(0.0)) * (1 - torch.sigmoid(torch.tensor(0.0))),
        "89": min(x for x in range(200) if torch.tensor(float(x)).exp().isinf()),
        "-0.0025": wrong_score.grad,
        "2.0000": 1 / 1 + torch.exp(torch.tensor(0.0)),  # without parentheses
        "0.0000": torch.tanh(torch.tensor(0.0)),
        "0.9999546": torch.tensor(10.0).double().sigmoid(),  # limits that are too narrow
        "0.9999833": torch.tensor(11.0).double().sigmoid(),
        # what train_epoch returns, and what it returns by mistake
        "0.5426": before,
        "0.4948": after,
        "0.8500": raw,
        "0.4688": twice,
        "0.4084": loop[-1],
        "1.6492": sum(loop),
        "0.5497": sum(loop) / len(loop),
        # the data and the training
        "64": notebook["train_x"].shape[1],
        "250": len(notebook["train_y"]),
        "112": len(notebook["valid_y"]),
        "2.4": 3 - 0.1 * 2 * 3,
        "20": stands_still.index(False),
        "0.42": misjudged[0],
        "27": notebook["accuracies"].index(max(notebook["accuracies"])),
        "0.973": max(notebook["accuracies"]),
        "0.946": notebook["accuracies"][-1],
        "0.3246": notebook["valid_losses"][27],
        "0.2425": notebook["valid_losses"][-1],
        "0.980": (at_the_peak < 0.5).float().mean(),
        "0.992": (at_the_end < 0.5).float().mean(),
        # the questions at the end
        "0.3333": (torch.tensor([0.9, 0.1, 0.2]) - targets).abs().mean(),
        "-0.02": -1 / 50,
    }


def cross_entropy_numbers(notebook):
    """Each number in the prose of cross_entropy, worked out; `notebook` holds its variables."""
    first = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)  # the question
    truth = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    (first.logsumexp(0) - first[0]).backward()
    logits = first.detach()
    exponentials, probabilities = logits.exp(), logits.softmax(0)
    loss = -probabilities[0].log()
    two = torch.tensor([2.0, 0.0], dtype=torch.float64)  # the example with two classes
    wrong_score = torch.tensor([-6.0, 0.0], dtype=torch.float64, requires_grad=True)
    (wrong_score.logsumexp(0) - wrong_score[0]).backward()
    wrong_probability = torch.sigmoid(torch.tensor(-6.0))
    shifted = torch.tensor([0.0, -1.0, -1.0]).exp()
    smoothed = 0.9 + 0.1 / 3

    def floor(classes):
        """The loss of a perfect probability vector that is taken for logits."""
        return math.log(math.e + classes - 1) - 1

    return {
        # two classes
        "7.3891": two[0].exp(),
        "1.0000": two[1].exp(),
        "8.3891": two.exp().sum(),
        "0.8808": two.softmax(0)[0],
        "0.1192": two.softmax(0)[1],
        "-0.1269": two.softmax(0)[0].log(),
        "0.1269": -two.softmax(0)[0].log(),
        "-2.1269": two.softmax(0)[1].log(),
        "2.1269": -two.softmax(0)[1].log(),
        "2.3026": -math.log(0.1),
        "4.6052": -math.log(0.01),
        "0.1353": math.exp(-2),
        # the question from the forum
        "2.7183": exponentials[0],
        "2.72": exponentials[0],
        "4.7183": exponentials.sum(),
        "4.72": exponentials.sum(),
        "0.5761": probabilities[0],
        "0.576": probabilities[0],
        "0.58": probabilities[0],
        "0.6": probabilities[0],
        "0.2119": probabilities[1],
        "0.5514": loss,
        "0.551": loss,
        "-0.4239": first.grad[0],
        "1.7358": shifted.sum(),
        "1.0986": math.log(3),
        "0.00009": math.log(1 + 2 * math.exp(-10)),
        # mistakes that the hints know by their number
        "-0.5514": -loss,
        "-1.0000": -logits[0],
        "-0.5761": -probabilities[0],
        "1.8731": two[0] - (two - two.max()).logsumexp(0),  # shifted inside the exponential alone
        "-0.0551": -(two - two.max()).exp().sum().log10(),
        "-2.0551": two[1] - two.max() - (two - two.max()).exp().sum().log10(),
        "2.0000": two.exp().log()[0],
        "0.0000": two.exp().log()[1],
        "1.4055": math.log(3 / math.expm1(loss)),  # the right class among the others
        "0.3069": math.log(1 / math.expm1(loss)),  # a single other class
        "-0.0000": -first.detach()[None].log_softmax(0)[0, 0],
        "1.5514": logits.logsumexp(0),
        "0.5447": -math.log(0.58),
        "0.5108": -math.log(0.6),
        "0.2395": -math.log10(probabilities[0]),
        "0.7956": -math.log2(probabilities[0]),
        "0.8711": probabilities.logsumexp(0) - probabilities[0],
        "0.1838": loss / 3,
        "3.6543": -probabilities.log().sum(),
        "1.2181": -probabilities.log().mean(),
        "0.4239": 1 - probabilities[0],
        "0.5665": binary_cross_entropy_with_logits(logits, truth),
        "0.3426": binary_cross_entropy(probabilities, truth),
        "-18": math.log(1e-8),
        "-16": math.log(1e-7),
        "88": max(x for x in range(200) if torch.tensor(float(x)).exp().isfinite()),
        # a true 3 with the score -6: cross-entropy and mnist_loss
        "-0.9975": wrong_score.grad[0],
        "-0.0025": -wrong_probability * (1 - wrong_probability),
        # softmax twice; counting e to the power 0 once gives the floor of two classes
        "0.3133": floor(2),
        "0.7437": floor(4),
        "1.4612": floor(10),
        "500": len(notebook["digit_labels"]),
        # the challenge
        "0.9": 1 - 0.1,
        "3.3322": math.log(smoothed / (0.1 / 3)),
        "0.2911": -smoothed * math.log(smoothed) - 2 * (0.1 / 3) * math.log(0.1 / 3),
    }


def loss_zoo_numbers(notebook):
    """Each number in the prose of loss_zoo, worked out; `notebook` holds its variables."""
    prices, predictions = notebook["house_prices"], notebook["house_predictions"]
    errors = predictions - prices
    squares, distances = errors**2, errors.abs()
    root = squares.mean().sqrt()
    labels, scores = notebook["three_targets"], notebook["three_scores"]
    threes, probabilities = labels == 1, scores.sigmoid()
    of_label = torch.where(threes, probabilities, 1 - probabilities)
    penalties = -of_label.log()
    forum_logits = torch.tensor([1.0, 0.0, 0.0])
    wrong_score = torch.tensor(-6.0, requires_grad=True)
    wrong_probability = wrong_score.sigmoid()
    (slope_of_bce,) = torch.autograd.grad(-wrong_probability.log(), wrong_score, retain_graph=True)
    (slope_of_distance,) = torch.autograd.grad(1 - wrong_probability, wrong_score)
    sure_scores = notebook["sure_scores"]
    return {
        # the three houses
        "2.5": predictions[0],
        "0.5": errors[0],
        "-1": errors[1],
        "0.25": squares[0],
        "1.75": squares.mean(),
        "0.75": (squares[0] + squares[1] + (errors[2] - 1) ** 2) / 3,
        "1.3229": root,
        "1.1667": distances.mean(),
        # mistakes that the hints know by their number
        "5.25": squares.sum(),
        "3.5": distances.sum(),
        "2.2913": squares.sum().sqrt(),
        "0.7638": squares.sum().sqrt() / 3,
        "1.1502": root.sqrt(),
        "0.8750": squares.mean() ** 1 / 2,
        "1.0": (2 * errors).mean(),
        "-6.1667": (predictions - prices**2).mean(),
        "5.75": (predictions**2 - prices**2).mean(),
        "7.0000": torch.tensor([-2.0, 4, 0, 1]).square().sum() / 3,
        # the mistyped price
        "14": 10 + notebook["as_sold"].max(),
        "14.0": 10 + notebook["as_sold"].max(),
        "11": 10 + notebook["as_sold"].max() - notebook["as_sold"].mean(),
        # merged in November 2020, taken out again in April 2022
        "2020": 2020,
        "2022": 2022,
        "17": 12 * (2022 - 2020) + 4 - 11,
        # the three images
        "2.2": scores[0],
        "-0.4": scores[1],
        "-1.4": scores[2],
        "0.9002": probabilities[0],
        "0.4013": probabilities[1],
        "0.1978": probabilities[2],
        "0.5987": of_label[1],
        "0.1051": penalties[0],
        "0.5130": penalties[1],
        "1.6204": penalties[2],
        "0.7462": penalties.mean(),
        # mistakes that the hints know by their number
        "1.1462": -(1 - of_label).log().mean(),
        "2.2385": penalties.sum(),
        "-0.7462": -penalties.mean(),
        "0.4344": (probabilities - labels).abs().mean(),
        "0.3241": -of_label.log10().mean(),
        "1.0765": -of_label.log2().mean(),
        "0.6180": binary_cross_entropy_with_logits(probabilities, labels.float()),
        "0.5752": penalties[threes].sum() / 3,
        "0.8795": -probabilities.log().mean(),  # every image as a 3
        "100": binary_cross_entropy(torch.tensor([0.0]), torch.tensor([1.0])),
        "16": -math.log(1e-7),
        "18": -math.log(1e-8),
        "89": min(x for x in range(200) if torch.tensor(float(x)).exp().isinf()),
        # sure and wrong
        "-200": sure_scores[0],
        "20": sure_scores[1],
        "0.5514": forum_logits.logsumexp(0) - forum_logits[0],
        "-0.9975": slope_of_bce,
        "-0.0025": slope_of_distance,
        # the model that starts on the wrong foot
        "112": len(notebook["digit_targets"][250:]),
        "40": len(notebook["learned"]["BCE, lr 0.1"]),
        "0.964": notebook["learned"]["BCE, lr 0.1"][-1],
    }


NUMBERS = {
    "accuracy": accuracy_numbers,
    "cross_entropy": cross_entropy_numbers,
    "loss_zoo": loss_zoo_numbers,
    "mnist_loss": mnist_loss_numbers,
}

# Numbers that a text sets rather than works out: inputs, limits, tolerances.
GIVEN = {
    "accuracy": {"-4", "0.00001", "0.01", "0.3", "0.6", "1.5", "3.1", "20", "200", "1000"},
    "cross_entropy": {
        "00",
        "0.0",
        "1.0",
        "5514",  # with a comma before it
        "-1",
        "-2",
        "-4",
        "-6",
        "10",
        "12",
        "20",
        "200",
        "-200",
        "1000",
        "-1000",
        "0.1",
        "0.01",
        "0.002",
        "0.0005",
        "0.0001",
        "0.0002",
        "0.00001",
        "0.000000001",
    },
    "loss_zoo": {
        "0.0",
        "-2",
        "-6",
        "50",
        "0.1",
        "200",
        "250",
        "10000",
        "0.3",
        "0.01",
        "0.0001",
        "0.0002",
        "0.00001",
        "0.000000001",
        "-3",
    },
    "mnist_loss": {
        "0.01",
        "-1",
        "-2",
        "-6",
        "-80",
        "-200",
        "10",
        "50",
        "11",
        "200",
        "28",
        "1.0",
        "0.0",
        "0.00001",
        "0.000000001",
    },
}

every_assignment = pytest.mark.parametrize("assignment", sorted(CONTRACT))


def read(folder, assignment):
    return nbformat.read(COURSE / folder / assignment / f"{assignment}.ipynb", as_version=4)


def kind(cell):
    """What nbgrader takes the cell for, by its metadata."""
    marks = cell.metadata.get("nbgrader", {})
    if marks.get("solution"):
        return "written" if marks["grade"] else "solution"
    if marks.get("grade"):
        return "graded"
    return "locked" if marks.get("locked") else "plain"


def grade_id(cell):
    return cell.metadata.nbgrader.grade_id


@functools.cache
def run(assignment):
    """The solved notebook after all its cells ran in a kernel, the failing ones included."""
    notebook = read("source", assignment)
    NotebookClient(notebook, kernel_name="python3", timeout=120, allow_errors=True).execute()
    return notebook


def errors_of(notebook):
    return [
        (cell, output)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


@functools.cache
def variables(assignment):
    """The variables of the solved notebook, run here without its graded cells, as in grading."""
    matplotlib.use("agg")
    namespace = {}
    for cell in read("source", assignment).cells:
        if cell.cell_type == "code" and kind(cell) != "graded":
            exec(compile(cell.source, f"{assignment}:{cell.id}", "exec"), namespace)  # noqa: S102
    return namespace


def test_every_assignment_has_a_contract():
    assert sorted(folder.name for folder in (COURSE / "source").iterdir()) == sorted(CONTRACT)


@every_assignment
def test_cells_keep_the_contract(assignment):
    cells = {
        grade_id(cell): (kind(cell), cell.metadata.nbgrader.get("points"))
        for cell in read("source", assignment).cells
        if kind(cell) not in ("plain", "locked")
    }
    assert cells == CONTRACT[assignment]
    assert list(cells) == list(CONTRACT[assignment])


@every_assignment
def test_source_is_clean(assignment):
    notebook = read("source", assignment)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"{cell.id} was saved with outputs"
        if kind(cell) == "solution":
            imports = (ast.Import, ast.ImportFrom)
            assert not any(isinstance(node, imports) for node in ast.walk(ast.parse(cell.source)))
        if kind(cell) == "graded":  # nbgrader would read the value of a last line as a score
            last = ast.parse(cell.source).body[-1]
            assert isinstance(last, ast.Expr), f"{cell.id} does not say that its checks pass"
            assert isinstance(last.value, ast.Call) and last.value.func.id == "print"


@every_assignment
def test_headers_state_the_points(assignment):
    stated, earned, exercise = {}, {}, None
    for cell in read("source", assignment).cells:
        header = re.search(
            r"### Exercise `(\w+)`\n\n\*\*Difficulty [●○]{3}, \d+ minutes, (\d+) points?\*\*",
            cell.source,
        )
        if header:
            exercise = header[1]
            stated[exercise], earned[exercise] = int(header[2]), 0
        if kind(cell) in ("graded", "written"):
            earned[exercise] += cell.metadata.nbgrader.points
    assert stated == earned

    [contents] = [cell.source for cell in read("source", assignment).cells if cell.id == "plan"]
    assert dict(re.findall(r"`(\w+)` \| (\d+) \|", contents)) == {
        name: str(points) for name, points in earned.items()
    }


@every_assignment
def test_solved_notebook_runs(assignment):
    notebook = run(assignment)
    assert [(cell.id, output.evalue) for cell, output in errors_of(notebook)] == []
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    waiting = [cell.id for cell in notebook.cells if "waits for your" in str(cell.get("outputs"))]
    assert waiting == ["challenge-check"], "the challenge is the student's alone"


@every_assignment
def test_solved_notebook_draws_at_most_five_figures(assignment):
    figures = [
        output
        for cell in run(assignment).cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert 1 <= len(figures) <= 5


@every_assignment
def test_what_only_draws_is_left_out_without_figures(assignment, sandbox):
    cells = read("source", assignment).cells
    drawing = {
        cell.id
        for cell in cells
        if kind(cell) == "plain" and re.search(r"plt\.show\(\)|^ *movable\(", cell.source, re.M)
    }
    tagged = {cell.id for cell in cells if "figure" in cell.metadata.get("tags", [])}
    assert drawing == tagged
    submission = (COURSE / f"source/{assignment}/{assignment}.ipynb").read_bytes()
    marks = mark(submission, assignment, Course(COURSE), sandbox=sandbox, figures=False)
    assert marks.score == marks.max_score
    assert {
        one.id for one in marks.notebook.cells if "left out" in str(one.get("outputs"))
    } == drawing


@every_assignment
def test_unsolved_notebook_fails_in_exercises_only(assignment, examine):
    """In the sandbox, whose cells end as Jupyter's do."""
    cells = [cell for cell in read("release", assignment).cells if cell.cell_type == "code"]
    examined = examine(*(cell.source for cell in cells), limits=TimeLimits())
    assert {run.status for run in examined.runs} == {"ok", "error"}
    errors = [cell for cell, run in zip(cells, examined.runs, strict=True) if run.status == "error"]
    assert {kind(cell) for cell in errors} <= {"solution", "graded"}
    failing = {grade_id(cell) for cell in errors}
    graded = {name for name, (what, _) in CONTRACT[assignment].items() if what == "graded"}
    assert graded <= failing, "a graded cell passes without an answer"


@every_assignment
def test_stubs_name_their_exercise(assignment):
    for cell in read("release", assignment).cells:
        if kind(cell) == "solution":
            assert re.search(rf'raise NotImplementedError\(".*\b{grade_id(cell)}\b', cell.source)


@every_assignment
def test_release_shows_no_solution(assignment):
    released = {
        grade_id(cell): cell.source
        for cell in read("release", assignment).cells
        if "nbgrader" in cell.metadata
    }
    for cell in read("source", assignment).cells:
        if kind(cell) == "solution":
            solution = re.search(r"### BEGIN SOLUTION\n(.*)### END SOLUTION", cell.source, re.S)[1]
        elif kind(cell) == "written":
            solution = cell.source
        else:
            continue
        for line in filter(None, map(str.strip, solution.splitlines())):
            assert line not in released[grade_id(cell)]

    everything = (COURSE / "release" / assignment / f"{assignment}.ipynb").read_text()
    assert "SOLUTION" not in everything
    assert "rubric" not in everything.lower()


@every_assignment
def test_release_is_up_to_date(assignment, tmp_path):
    shutil.copy(COURSE / "nbgrader_config.py", tmp_path)
    shutil.copytree(COURSE / "source" / assignment, tmp_path / "source" / assignment)
    made = typed("nbgrader", ["generate_assignment", assignment], tmp_path)
    assert made.returncode == 0, made.stderr
    generated, committed = tmp_path / "release" / assignment, COURSE / "release" / assignment
    names = sorted(file.name for file in generated.iterdir())
    assert names == sorted(file.name for file in committed.iterdir())
    for name in names:
        same = (generated / name).read_bytes() == (committed / name).read_bytes()
        assert same, f"run `nbgrader generate_assignment {assignment}` and commit the release"


def numbers_in_prose(notebook):
    """The numbers that a reader could check: decimals, negative numbers, whole ones from 10 on."""
    found = set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            # No links; no times and points, which other tests compare.
            prose = re.sub(
                r"\]\(\S+\)|\*\*Difficulty.*|exercises take about.*"
                r"|^\* -?[\d.]+:|\*\*A \w+ answer \(.*?\)",
                "",
                cell.source,
                flags=re.M,
            )
            found.update(re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)", prose))
    return {number for number in found if not re.fullmatch(r"\d", number)}


@every_assignment
def test_numbers_in_prose_are_true(assignment):
    truth = NUMBERS[assignment](variables(assignment))
    assert numbers_in_prose(read("source", assignment)) == set(truth) | GIVEN[assignment]
    for number, value in truth.items():
        decimals = len(number.partition(".")[2])
        assert f"{float(value):.{decimals}f}" == number


def test_figures_of_accuracy_show_what_is_said():
    notebook = variables("accuracy")
    strengths = notebook["weights"].abs()
    assert (strengths > strengths[53]).sum() < 4, "the framed weight is one of the strongest"

    shares, distances = torch.stack(notebook["accuracies"]), torch.stack(notebook["distances"])
    rises, falls = shares.diff(), distances.diff()
    assert (rises == 0).double().mean() > 0.75, "a staircase: flat, but for some jumps"
    assert (rises >= 0).all() and (rises > 0).sum() > 10
    assert (falls < 0).all(), "a slope, everywhere"
    near = notebook["BROKEN_WEIGHT"] + torch.linspace(-0.03, 0.03, 25)
    assert len({float(notebook["accuracy_with"](weight)) for weight in near}) == 1, "flat, close by"

    jump, across = notebook["middle"], []
    for step in (0.1, 0.01, 0.001, 0.0001):
        ends = jump - step / 2, jump + step / 2
        across.append(float(notebook["slope"](notebook["accuracy_with"], *ends)))
    assert across == sorted(across) and across[-1] > 200, "at a jump the slope grows and grows"

    for k in (1, 3):
        shares = [notebook["share_in_the_top"](k, weight) for weight in notebook["shown_weights"]]
        changes = torch.stack(shares).diff()
        assert 5 < (changes != 0).sum() < 0.25 * len(changes), "top 3 is a staircase, too"

    flat_in_accuracy = notebook["flat_in_accuracy"]
    assert flat_in_accuracy == sorted(flat_in_accuracy) and flat_in_accuracy[-1] > 0.99
    assert set(map(float, notebook["flat_in_distance"])) == {0.0}

    assert notebook["weight"].grad == 0, "the second symptom"
    for lr in (0.1, 1, 10):
        after = notebook["weight_after_20_steps"](notebook["share_of_wrong"], lr)
        assert after == notebook["BROKEN_WEIGHT"], "by accuracy the model stands still"


def distances_after(notebook, steps, part="valid"):
    """How far the predictions are off after so many steps, for "train" or the images kept aside."""
    generator = torch.Generator().manual_seed(0)
    weights = (0.2 * torch.randn(64, generator=generator)).requires_grad_()
    bias = torch.zeros((), requires_grad=True)
    for _ in range(steps):
        notebook["train_epoch"](weights, bias, notebook["train_x"], notebook["train_y"], lr=0.2)
    scores = notebook[f"{part}_x"] @ weights.detach() + bias.detach()
    return (notebook["sigmoid"](scores) - notebook[f"{part}_y"]).abs()


def test_figures_of_mnist_loss_show_what_is_said():
    notebook = variables("mnist_loss")
    by_hand, by_torch = notebook["milliseconds"].values()
    assert by_hand[-1] > 100 * by_torch[-1], "faster by a factor of hundreds"

    models = [notebook["three_predictions"], *notebook["models"].values()]
    old, *new = [notebook["mnist_loss"](model, notebook["three_targets"]) for model in models]
    assert max(new) < old
    old, *new = [notebook["accuracy"](model, notebook["three_targets"]) for model in models]
    assert sorted(share > old for share in new) == [False, False, True]

    slope = notebook["scores"].grad
    assert slope.argmax() == len(slope) // 2 and abs(slope.max() - 0.25) < 1e-6
    assert (slope > 0).all() and max(slope[0], slope[-1]) < 0.001

    losses, accuracies = torch.tensor(notebook["losses"]), notebook["accuracies"]
    assert (losses.diff() < 0).all(), "the loss falls from the first step to the last"
    assert (torch.tensor(notebook["valid_losses"]).diff() < 0).all(), "and so it does for others"
    for steps in range(1, 21):  # a 3 called a 3 is less than 0.5 off, a 7 called a 3 more
        is_far = distances_after(notebook, steps) > 0.5
        assert is_far.equal(notebook["valid_y"] == 0), "every image is called a 3"
    rises = torch.tensor(accuracies[19:28]).diff()
    assert len(rises) == 8 and (rises > 0).all(), "then accuracy climbs over eight steps"
    assert accuracies[27] == max(accuracies) and accuracies[-1] < accuracies[27]
    before, after = distances_after(notebook, 28), distances_after(notebook, 40)
    assert ((after > 0.5) & (before <= 0.5)).sum() == 4, "four images went over to the wrong side"
    assert ((after <= 0.5) & (before > 0.5)).sum() == 1, "one came back"
    assert (after < before).float().mean() > 0.8, "most of the others got surer"
    ends = notebook["order"][[0, 1, 2, -3, -2, -1]]
    assert notebook["valid_y"][ends].tolist() == [0, 0, 0, 1, 1, 1], "sure at both ends, and right"
    sure = notebook["valid_predictions"][ends]
    assert sure[0] < 0.25 and sure[-1] > 0.75, "fairly sure"

    [cell] = [c for c in read("source", "mnist_loss").cells if c.id == "train-figure"]
    loud = dict(notebook)
    exec(cell.source.replace("0.2 * torch.randn", "1.0 * torch.randn"), loud)  # noqa: S102
    assert loud["losses"][-1] > 2 * notebook["losses"][-1], "with loud opinions it gets stuck"
    scores = notebook["train_x"] @ torch.randn(64, generator=torch.Generator().manual_seed(0))
    assert (scores > 2).all(), "on the flat right end of the sigmoid"


def test_figures_of_cross_entropy_show_what_is_said():
    notebook = variables("cross_entropy")
    curve = torch.stack(notebook["curve"])
    slopes = curve.diff() / notebook["right_logit"].diff()
    assert (slopes < 0).all() and (curve > 0).all(), "there is always a smaller loss"
    assert slopes[0] < -0.95, "on the left a straight line, whose slope does not fade"

    floors, once, twice = notebook["floors"], notebook["once"], notebook["twice"]
    assert floors == sorted(floors)
    assert once[-1] < 0.3 and once == sorted(once, reverse=True), "once: it heads for 0"
    assert min(twice) > floors[-1] + 0.1, "twice: it creeps towards the floor"
    assert twice == sorted(twice, reverse=True)


def test_figures_of_loss_zoo_show_what_is_said():
    notebook = variables("loss_zoo")
    as_sold, candidates = notebook["as_sold"], notebook["candidates"]
    mistyped = torch.cat([as_sold[:4], torch.tensor([14.0])])
    for name, prices, lowest in [("mse", as_sold, 3), ("mse", mistyped, 5)] + [
        ("mae", prices, 3) for prices in (as_sold, mistyped)
    ]:
        losses = notebook["losses_of"](notebook[name], prices)
        assert abs(candidates[losses.index(min(losses))] - lowest) < 1e-6

    learned = notebook["learned"]
    assert set(learned["mnist_loss, lr 0.1"]) == {0.5}, "with mnist_loss the model stands still"
    assert learned["BCE, lr 0.1"][0] < 0.6

    def ends(loss, lr):
        return notebook["accuracies_while_learning"](notebook[loss], lr=lr)[-1]

    for lr in (0.1, 1, 5, 20, 50):
        assert ends("bce_with_logits", lr) > 0.96, "BCE works at every rate in the table"
    offset = {lr: ends("mnist_loss_of_scores", lr) for lr in (1, 5, 10, 20, 50)}
    assert {lr for lr, share in offset.items() if share > 0.96} == {5, 10, 20}
    assert offset[1] == offset[50] == 0.5, "too slow at 1, thrown too far at 50"


def test_at_50_the_first_long_step_leads_to_the_flat_ground_at_the_other_end():
    notebook = variables("loss_zoo")
    images, targets = notebook["digit_images"][:250], notebook["digit_targets"][:250]
    weights, bias = torch.zeros(64, requires_grad=True), torch.tensor(-6.0, requires_grad=True)
    sharpest = 0.0
    for _ in range(40):
        scores = images @ weights + bias
        notebook["mnist_loss_of_scores"](scores, targets).backward()
        with torch.no_grad():
            for parameter in (weights, bias):
                sharpest = max(sharpest, float(parameter.grad.abs().max()))
                parameter -= 50 * parameter.grad
                parameter.grad = None
    assert (scores > 6).all(), "every image is now taken for a 3, and surely"


FIRST_ANSWERS = {
    "accuracy": "accuracy",
    "cross_entropy": "derivation",
    "loss_zoo": "mse",
    "mnist_loss": "where_by_hand",
}


@every_assignment
def test_something_of_the_students_own_works_after_a_page_of_reading(assignment):
    words = 0
    for cell in read("source", assignment).cells:
        if kind(cell) == "solution":
            break
        if cell.cell_type == "markdown":
            words += len(re.findall(r"[\w`'][^\s|]*", cell.source))
    assert cell.id == FIRST_ANSWERS[assignment]
    assert words < 350


@every_assignment
def test_title_states_minutes_and_points(assignment):
    cells = read("source", assignment).cells
    text = "\n".join(cell.source for cell in cells)
    times = re.findall(r"\*\*Difficulty [●○]{3}, (\d+) minutes, (\d+) points?\*\*", text)
    count = ["one", "two", "three", "four", "five", "six", "seven"][len(times) - 1]
    minutes, points = (sum(map(int, column)) for column in zip(*times, strict=True))
    stated = f"{count} exercises take about {minutes} minutes and are worth {points} points"
    assert stated in cells[0].source


@every_assignment
def test_headings_are_in_order(assignment):
    levels = []
    for cell in read("source", assignment).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```", "", cell.source, flags=re.S)
            levels += [len(heading) for heading in re.findall(r"^(#+) ", text, re.M)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@every_assignment
def test_every_column_of_a_table_has_a_heading(assignment):
    for cell in read("source", assignment).cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^\|(.*)\|\n\|[-|]+\|$", cell.source, re.M):
                assert all(map(str.strip, heading.split("|"))), cell.id


@every_assignment
def test_every_figure_has_a_text_that_says_what_it_shows(assignment):
    """nbconvert and the feedback page take it from the cell's metadata."""
    cells = read("source", assignment).cells
    for place, cell in enumerate(cells):
        if "figure" in cell.metadata.get("tags", []):
            assert len(cell.metadata.alt.split()) >= 10, cell.id
            after = next(one for one in cells[place + 1 :] if one.cell_type == "markdown")
            assert after.source.startswith("*What to see:*"), cell.id


@every_assignment
def test_words_in_figures_are_black(assignment):
    """Orange and green are told apart from white in lines, not in small letters."""
    for cell in read("source", assignment).cells:
        if "figure" in cell.metadata.get("tags", []):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                    (".text", ".annotate")
                ):
                    assert "color" not in [keyword.arg for keyword in node.keywords], cell.id


@every_assignment
def test_hints_stand_between_an_answer_and_its_checks(assignment):
    """So that nobody scrolls past the longest code of the notebook to reach help."""
    cells = read("source", assignment).cells
    for place, cell in enumerate(cells):
        if kind(cell) == "solution":
            before_checks = []
            for after in cells[place + 1 :]:
                if kind(after) == "graded":
                    break
                before_checks.append(after.source)
            assert "<details><summary>Hint: " in "".join(before_checks), cell.id


def assert_statements(nodes, helpers):
    """How many asserts are in the code, those of helpers that it calls included."""
    asserts, called = 0, set()
    for node in nodes:
        for one in ast.walk(node):
            asserts += isinstance(one, ast.Assert)
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Name):
                called.add(one.func.id)
    found = [helpers.pop(name) for name in called if name in helpers]
    return asserts + (assert_statements(found, helpers) if found else 0)


@every_assignment
def test_passing_checks_say_how_many_they_are(assignment):
    notebook = run(assignment)
    helpers = {
        node.name: node
        for cell in notebook.cells
        if kind(cell) == "locked" and cell.cell_type == "code"
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.FunctionDef)
    }
    for cell in notebook.cells:
        if kind(cell) == "graded":
            number = assert_statements([ast.parse(cell.source)], dict(helpers))
            words = {1: "the check passes", 2: "both checks pass"}
            words = words.get(number, f"all {number} checks pass")
            printed = "".join(output.text for output in cell.outputs)
            about = r"( \(the next cell compares the numbers\))?"  # what these checks leave open
            assert re.fullmatch(f"{grade_id(cell)}: {words}{about}", printed.strip())


def message_of(provoke):
    """What Python or torch says about a mistake."""
    try:
        provoke()
    except Exception as error:  # noqa: BLE001 (whichever kind it is)
        return str(error)
    raise AssertionError("nothing was raised")


def leaf():
    return torch.tensor([1.0, 2.0], requires_grad=True)


def log_softmax(logits):
    """As a student's own: it takes no dim."""


def without_end():
    without_end()


# What hints quote from Python and torch, provoked.
MISTAKES = [
    lambda: torch.tensor(1.0)(),
    lambda: torch.tensor(1.0) ^ 2,
    lambda: torch.tensor([True]).mean(),
    lambda: torch.tensor([True]) - torch.tensor([1]),
    lambda: bool(torch.tensor([True, False])),
    lambda: torch.zeros(64).__setitem__(53, torch.zeros(41)),
    lambda: torch.where(torch.tensor([1, 0]), 1.0, 2.0),
    lambda: leaf().backward(),
    lambda: leaf().numpy(),
    lambda: leaf().add_(1),
    lambda: math.exp(torch.tensor([1.0, 2.0])),
    lambda: 0.1 * leaf().grad,
    lambda: torch.zeros(4, 3) - torch.zeros(4, 5).sum(dim=1),
    lambda: torch.zeros(4, 3)[torch.arange(4), torch.tensor([0, 1, 2, 3])],
    lambda: torch.zeros(1, 3)[torch.tensor([1]), torch.tensor([0])],
    lambda: torch.exp(1.0),
    lambda: torch.tensor(True).astype(float),
    lambda: numpy.mean(torch.tensor([1.0, 2.0])),
    lambda: torch.tensor([1.0, 2.0]).sum().backward(),
    lambda: (0.5).backward(),
    lambda: torch.zeros(1, 3) - torch.zeros(1, 3).max(dim=1),
    lambda: torch.zeros(3).sum(dim=1),
    lambda: torch.logaddexp(0.0, torch.zeros(3)),
    lambda: binary_cross_entropy_with_logits(torch.zeros(2), torch.tensor([0, 1])),
    lambda: binary_cross_entropy(torch.zeros(2), torch.tensor([0, 1])),
    lambda: binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0])),
    lambda: eval("unknown"),  # noqa: S307
    lambda: eval("flat_almost_everywhere"),  # noqa: S307
    lambda: eval("small_is_good"),  # noqa: S307
    lambda: (1.0).item(),
    lambda: (lambda f, x_old, x_new: 0)(1.0, 2.0),
    lambda: [one for one, two, three in (torch.zeros(4),) * 3],
    lambda: torch.zeros(3) - torch.zeros(2),
    lambda: torch.tensor(0.9, 0.4, 0.8),
    lambda: torch.zeros(2) @ torch.zeros(3, 2),
    lambda: math.exp([1, 0, 0]),
    lambda: torch.exp([1, 0, 0]),
    lambda: [1, 0, 0] / 2.0,
    lambda: torch.zeros(4, 3).gather(1, torch.tensor([0, 1, 2, 0])),
    lambda: eval("y_new"),  # noqa: S307
    lambda: eval("true"),  # noqa: S307
    lambda: eval("student-01"),  # noqa: S307
    lambda: (lambda x: 0)(1.0, 2.0),
    lambda: eval("number[0]", {"number": 1.0}),  # noqa: S307
    lambda: round(torch.tensor(1.0), 4),
    lambda: [1, 2] / 2,
    lambda: range(torch.tensor([1, 2])),
    lambda: None.zero_(),
    lambda: log_softmax(torch.zeros(3), dim=0),
    without_end,
    lambda: torch.zeros(3).max(0) + torch.zeros(3),
]


def messages_of_checks(notebook):
    """All texts in the code of the notebook, {} in the place of a value."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", None) for part in node.values]
                yield "".join(part if isinstance(part, str) else "{}" for part in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def pattern_of(quote):
    """What a quoted message looks like in the code, where values are placeholders."""
    values = r"\[[^]]*\]|torch\.float\d\d|-?\d+(?:\.\d+)?|\bNoneType|\bNone|\bfloat|\blist|\.\.\."
    parts = re.split(f"({values})", quote)
    pattern = ""
    for place, part in enumerate(parts):
        if place % 2 == 0:
            pattern += re.escape(part)
        elif part.startswith("["):
            pattern += rf"(?:\[{pattern_of(part[1:-1])}\]|\{{\}})"
        else:
            pattern += ".*" if part == "..." else rf"(?:{re.escape(part)}|\{{\}})"
    return pattern


@every_assignment
def test_messages_that_hints_quote_are_the_real_ones(assignment):
    notebook = read("source", assignment)
    texts = {*messages_of_checks(notebook), *map(message_of, MISTAKES)}
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    [setup] = [cell.source for cell in notebook.cells if cell.id == "setup-text"]
    for summary in [setup, *re.findall(r"<summary>Hint: (.*?)</summary>", prose)]:
        for quote in re.findall(r'"([^"]+)"', summary):
            assert any(re.search(pattern_of(quote), text) for text in texts), quote


def challenge_of(assignment):
    """The names in which the challenge is tried, its check, and the folded solution."""
    cells = {cell.id: cell.source for cell in read("source", assignment).cells}
    solution = re.search(r"```python\n(.*?)```", cells["challenge-solution"], re.S)[1]
    namespace = dict(variables(assignment))
    exec(cells["challenge-answer"], namespace)  # noqa: S102
    return namespace, cells["challenge-check"], solution


@every_assignment
def test_challenge_is_checked(assignment, capsys):
    namespace, check, solution = challenge_of(assignment)
    exec(check, namespace)  # noqa: S102
    assert "waits for your" in capsys.readouterr().out
    exec(solution, namespace)  # noqa: S102
    exec(check, namespace)  # noqa: S102
    assert "challenge solved" in capsys.readouterr().out


WRONG_CHALLENGES = {
    "accuracy": [("k, dim=1", "1, dim=1"), (".mean()", ".sum()")],
    "cross_entropy": [("classes - 1", "classes"), ("1 - smoothing + other", "1 - smoothing")],
    "loss_zoo": [("-3 * errors", "-errors"), ("errors > 0", "errors < 0")],
    "mnist_loss": [(".clamp(min=0)", ""), ("1 + scores", "-scores")],
}


@pytest.mark.parametrize(
    ("assignment", "right", "wrong"),
    [(name, *change) for name, changes in WRONG_CHALLENGES.items() for change in changes],
)
def test_a_wrong_answer_to_the_challenge_is_refused(assignment, right, wrong):
    namespace, check, solution = challenge_of(assignment)
    assert right in solution
    exec(solution.replace(right, wrong), namespace)  # noqa: S102
    with pytest.raises(AssertionError):
        exec(check, namespace)  # noqa: S102


@every_assignment
def test_five_questions_to_check_oneself(assignment):
    [quiz] = [cell.source for cell in read("source", assignment).cells if cell.id == "quiz"]
    answers = re.findall(r"<details><summary>(\d)\. .*?</summary>\n\n(.*?)\n</details>", quiz, re.S)
    assert [number for number, _ in answers] == ["1", "2", "3", "4", "5"]
    assert all(len(answer.split()) > 4 for _, answer in answers)


@every_assignment
def test_rubrics_are_short_items_that_add_up(assignment):
    for cell in read("source", assignment).cells:
        if kind(cell) != "written":
            continue
        points = cell.metadata.nbgrader.points
        assert faults(cell.source, points) == []
        rubric = parse(cell.source)
        assert 4 <= len(rubric.items) <= 6
        assert sum(item.points for item in rubric.items if item.points > 0) == points
        assert max(len(item.text.split()) for item in rubric.items) <= 30
        assert rubric.notes and any(item.notes for item in rubric.items)
        assert rubric.model_answer.startswith(f"**A good answer ({points} points):**")
        assert re.search(r"^\*\*A thin answer \([01] points?\):", rubric.model_answer, re.M)


@every_assignment
def test_a_slip_in_an_answer_is_not_told_as_a_missing_one(assignment, capsys):
    once_solved = variables(assignment)["once_solved"]
    with once_solved("mine"):
        raise NotImplementedError("exercise mine is not solved yet")
    with once_solved("mine"):
        raise NameError("name 'mine' is not defined", name="mine")
    assert capsys.readouterr().out.count("waits for your mine") == 2
    with pytest.raises(NameError, match="tagrets"), once_solved("mine"):
        raise NameError("name 'tagrets' is not defined", name="tagrets")


@every_assignment
def test_sliders_are_offered_under_a_figure_that_stays(assignment):
    movable = [cell for cell in run(assignment).cells if "    movable(" in cell.source]
    assert movable
    for cell in movable:
        kinds = [set(output.data) for output in cell.outputs if "data" in output]
        assert "image/png" in kinds[0], "the figure is there for a page without sliders"
        assert "application/vnd.jupyter.widget-view+json" in kinds[1]


def test_without_ipywidgets_or_a_kernel_there_is_the_figure_alone(monkeypatch):
    movable, shown = variables("accuracy")["movable"], []
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: shown.append("plain"))
    movable(lambda **values: shown.append(values), height=(3, 0, 5, 1))
    assert shown == [{"height": 3}, "plain"], "no kernel, as in grading"

    monkeypatch.setitem(movable.__globals__, "get_ipython", lambda: Path)
    monkeypatch.setattr(Path, "kernel", "a kernel", raising=False)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    movable(lambda **values: shown.append(values), height=(3, 0, 5, 1))
    assert shown[2:] == [{"height": 3}, "plain"], "a kernel, but no ipywidgets"


def test_a_slider_draws_its_figure_again(monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    drawn, shown = [], []

    class Handle:
        def update(self, figure):
            shown.append(figure)

    def display(what, display_id=False):
        shown.append(what)
        return Handle() if display_id else None

    def draw(height):
        drawn.append(height)
        return matplotlib.pyplot.figure()

    movable = variables("accuracy")["movable"]
    monkeypatch.setitem(movable.__globals__, "get_ipython", lambda: Path)
    monkeypatch.setattr(Path, "kernel", "a kernel", raising=False)
    monkeypatch.setitem(movable.__globals__, "display", display)
    movable(draw, height=(3, 0, 5, 1))
    [knob] = shown[1].children
    assert isinstance(knob, ipywidgets.FloatSlider) and (knob.min, knob.max) == (0, 5)
    knob.value = 4
    assert drawn == [3, 4] and len(shown) == 3
    assert not matplotlib.pyplot.get_fignums(), "figures are closed"


def test_optional_passage_reads_the_original_mnist_files(tmp_path, monkeypatch, capsys):
    """Made-up images, dark at the left for a 3 and dark at the right for a 7: easy to learn."""
    monkeypatch.chdir(tmp_path)
    Path("mnist").mkdir()
    labels = bytes([3, 7, 1, 3, 7, 7])
    three, seven = bytes([255] * 14 + [0] * 14) * 28, bytes([0] * 14 + [255] * 14) * 28
    images = b"".join(three if label == 3 else seven for label in labels)
    for part in ("train", "t10k"):
        header = struct.pack(">HBBIII", 0, 8, 3, len(labels), 28, 28)
        Path(f"mnist/{part}-images-idx3-ubyte").write_bytes(header + images)
        header = struct.pack(">HBBI", 0, 8, 1, len(labels))
        Path(f"mnist/{part}-labels-idx1-ubyte").write_bytes(header + labels)

    [passage] = [c for c in read("source", "mnist_loss").cells if c.id == "optional-mnist"]
    namespace = dict(variables("mnist_loss"))
    exec(compile(passage.source, passage.id, "exec"), namespace)  # noqa: S102
    assert "test images of MNIST: 1.000" in capsys.readouterr().out
    assert namespace["full_x"].shape == (5, 784)
