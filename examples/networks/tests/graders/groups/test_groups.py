"""The hidden tests of groups. Students see titles and hints, never the assertions."""

from proctor.authoring import assert_bars, assert_labelled, figure_of, grades, the_axes

ROWS = [
    ("north", 2.0),
    ("south", 5.0),
    ("north", 4.0),
    ("east", 1.0),
    ("south", 6.0),
    ("north", 3.0),
]


@grades("group_means_values", hint="Add up the scores of each group, and count them.")
def test_means(student):
    """Each group has the mean of its scores."""
    means = student.group_means(ROWS)
    assert isinstance(means, dict), f"group_means should return a dictionary, got {means!r}"
    assert means == {"north": 3.0, "south": 5.5, "east": 1.0}, f"the means are {means}"


@grades("group_means_values", requires="test_means", hint="Which group came first?")
def test_order(student):
    """The groups keep their order."""
    assert list(student.group_means(ROWS)) == ["north", "south", "east"]


@grades("draw_means_bars", hint="One bar for each group, as high as its mean.")
def test_bars(student):
    """A bar for each group, as high as its mean."""
    figure = figure_of(student.draw_means({"a": 2.0, "b": 3.5, "c": 1.0}))
    assert_bars(the_axes(figure), [2.0, 3.5, 1.0])


@grades("draw_means_bars", requires="test_bars", hint="What do the axes show?")
def test_labels(student):
    """Both axes say what they show."""
    assert_labelled(the_axes(figure_of(student.draw_means({"a": 2.0}))))
