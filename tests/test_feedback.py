"""Feedback: reports that people can use, and student output that can only be looked at."""

from __future__ import annotations

import html
from itertools import pairwise

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook, new_output
from traitlets.config import Config

from proctor.classroom import preprocessors
from proctor.classroom.nbgrader_defaults import use_proctor
from proctor.grading.marks import CellMarks, Check, Marks
from proctor.pages import feedback, formulas
from proctor.pages.feedback import clean_html, markdown_to_html, safe_outputs
from proctor.pages.formgrader import FeedbackExporter
from proctor.pages.pictures import markdown_with_pictures


def data_of(**data):
    return [{"output_type": "display_data", "metadata": {}, "data": data}]


def test_report_in_full():
    checks = [
        Check("test_a", "Sums <two> numbers", True, None, 1.0, "", 0.1),
        Check("test_b", "Keeps the `dtype`", False, "Try `float64`, 1 < 2.", 1.0, "SECRET", 0.1),
    ]
    marks = CellMarks("total", 1.5, 3.0, False, diagnosis="A `sum` for a mean", checks=checks)
    display, result = feedback.cell_report(marks)
    assert display.data["text/plain"] == (
        "✓ passed: Sums <two> numbers\n"
        "✗ failed: Keeps the `dtype`\n"
        "    Try `float64`, 1 < 2.\n"
        "A `sum` for a mean\n"
        "Score: 1.5 of 3 points"
    )
    table = display.data["text/html"]
    assert "<td>Sums &lt;two&gt; numbers</td>" in table
    assert "<td>Try <code>float64</code>, 1 &lt; 2.</td>" in table
    assert "SECRET" not in str([display, result])
    assert (result.output_type, result.data) == ("execute_result", {"text/plain": "1.5"})
    # What cleans the feedback page lets the whole report through.
    assert clean_html(table) == table


def test_notes_are_words_whatever_is_in_them():
    cell = feedback.notes_cell("Notes", ["a *b* <script>x</script> [l](javascript:y)\x1b[0m\n# c"])
    page = markdown_to_html(cell.source)
    assert "A *b* <script>x</script> [l](javascript:y) [0m # c" in html.unescape(page)
    assert "<a" not in page
    assert "<h1" not in page
    assert "<script" not in page


def test_harmless_outputs_stay_as_they_are():
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "a\tb\n\x1b[31mred\x1b[0m"},
        {"output_type": "stream", "name": "stderr", "text": "careful"},
        {
            "output_type": "display_data",
            "metadata": {"image/png": {"width": 300, "height": 200}},
            "data": {"image/png": "iVBORw0KGgo=\n", "text/plain": "<Figure>"},
        },
        {
            "output_type": "execute_result",
            "execution_count": None,
            "metadata": {},
            "data": {"text/html": "<table></table>", "text/latex": "$x$", "text/plain": "x"},
        },
        {"output_type": "error", "ename": "E", "evalue": "why", "traceback": ["a", "b"]},
    ]
    assert safe_outputs(outputs) == outputs


@pytest.mark.parametrize(
    "kind",
    ["application/javascript", "image/svg+xml", "application/vnd.jupyter.widget-view+json", "x"],
)
def test_other_kinds_leave_their_plain_twin(kind):
    [output] = safe_outputs(data_of(**{kind: "alert(1)", "text/plain": "twin"}))
    assert output.data == {"text/plain": "twin"}
    assert safe_outputs(data_of(**{kind: "alert(1)"})) == []


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        {},
        {"output_type": "update_display_data"},
        {"output_type": []},
        {"output_type": "display_data"},
        {"output_type": "display_data", "data": []},
        {"output_type": "display_data", "data": {"image/png": 'x" onerror="alert(1)'}},
        {"output_type": "display_data", "data": {"image/png": "A" * 2_000_001}},
        {"output_type": "stream"},
        {"output_type": "stream", "name": [], "text": {"a": 1}},
        {"output_type": "stream", "name": "stdout", "text": "\ud800"},
        {"output_type": "error"},
        {"output_type": "error", "ename": 7, "evalue": None, "traceback": [7, None, []]},
        {"output_type": "execute_result", "data": {"text/plain": {"a": 1}}, "metadata": 7},
    ],
)
def test_odd_outputs_break_nothing(odd):
    notebook = new_notebook(cells=[new_code_cell("")])
    notebook.cells[0].outputs = safe_outputs([odd])
    nbformat.validate(notebook)
    nbformat.writes(notebook).encode()


@pytest.mark.parametrize("width", ["1 onerror=alert(1)", True, -1, 1e3, 10**9, None, [1]])
def test_size_that_is_no_number_of_pixels_is_dropped(width):
    [output] = safe_outputs(
        [
            {
                "output_type": "display_data",
                "metadata": {"image/png": {"width": width, "unconfined": True}, "isolated": True},
                "data": {"image/png": "AAAA"},
            }
        ]
    )
    assert output.metadata == {}


def test_picture_that_is_no_base64_is_dropped():
    [output] = safe_outputs(data_of(**{"image/png": 'A" onerror="alert(1)', "text/plain": "twin"}))
    assert output.data == {"text/plain": "twin"}


def test_floods_are_cut():
    flood = [{"output_type": "stream", "name": "stdout", "text": "x" * 200_000}] * 1000
    cut = safe_outputs(flood)
    assert len(cut) == feedback.MAX_OUTPUTS
    assert len(cut[0].text) < 100_100


def test_a_flood_of_markup_costs_no_report():
    flood = data_of(**{"text/html": "<b>x</b>" * 12_000, "text/plain": "x"}) * 20
    answer = new_code_cell("double = print", outputs=flood)
    checks = new_code_cell(metadata={"nbgrader": {"grade_id": "double_values", "grade": True}})
    marks = Marks(
        assignment="tiny",
        student="student-01",
        status="graded",
        error=None,
        score=1.0,
        max_score=2.0,
        seconds=0.1,
        incidents=[],
        cells=[CellMarks("double_values", 1.0, 2.0, False)],
    )
    preprocessors.report(new_notebook(cells=[answer, checks]), marks)
    assert "text/html" not in answer.outputs[-1].data
    assert "1 of 2 points" in checks.outputs[0].data["text/html"]


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>",
        "<script>alert(1)",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' java\nscript:alert(1)'>x</a>",
        "<a href='&#106;avascript:alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<img src='https://example.org/pixel.png'>",
        "<img src='data:image/svg+xml;base64,AAAA'>",
        "<style>body{display:none}</style>",
        "<p style='position:fixed'>x</p>",
        "<div class='modal fade in'>x</div>",
        "<p id='explain' name='explain'>x</p>",
        "<form action='https://example.org'><input></form>",
        "<meta http-equiv='refresh' content='0;url=https://example.org'>",
        "<base href='https://example.org'>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></math>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<scr<script>ipt>alert(1)</script>",
        r"$\text{<script>alert(1)</script>}$",
        r"$\text{<img src=x onerror=alert(1)>}$",
        r"$\href{javascript:alert(1)}{x}\style{position:fixed}{x}\class{modal}{x}$",
        r'![$\text{x" onerror="alert(1)}$](x.png)',
    ],
)
@pytest.mark.parametrize("render", [clean_html, markdown_to_html])
def test_markup_that_does_something_is_defused(markup, render):
    page = render(markup)
    tags = page.split("<")[1:]  # text has its own < escaped
    inside = [tag.split(">")[0].lower() for tag in tags]
    forbidden = ("script", "svg", "iframe", "style", "form", "input", "meta", "base", "mglyph")
    assert not [tag for tag in inside if tag.strip("/").startswith(forbidden)]
    dangers = (" on", "javascript", "data:", "https:", "style=", "id=", "name=", "modal")
    assert not [tag for tag in inside if any(danger in tag for danger in dangers)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$a<b$", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        ("$$\\frac{1}{2}$$", "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>"),
        ("$\\frac{$", "$\\frac{$"),
        ("`$x$`", "<code>$x$</code>"),
        ("`x < y`", "<code>x &lt; y</code>"),
        ("> said", "<blockquote>"),
        ("|a|\n|-|\n|1|", "<td>1</td>"),
        ("```python\nx < 1\n```", '<span class="n">x</span>'),
        ("[a](https://pytorch.org)", '<a href="https://pytorch.org">a</a>'),
        ("![a](data:image/png;base64,AAAA)", '<img src="data:image/png;base64,AAAA"'),
        ("<details><summary>Hint</summary>text</details>", "<summary>Hint</summary>"),
        ("![a](attachment:b.png)", "attached picture, left out"),
        ("a & b", "a &amp; b"),
    ],
)
def test_what_is_meant_well_is_kept(source, expected):
    assert expected in markdown_to_html(source)


PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize("name", ["photo.png", "photo%20of%20it.png"])
def test_an_attached_picture_is_shown(name):
    pictures = {"photo.png": PNG, "photo of it.png": PNG}
    source = f"so: ![my page](attachment:{name}) and $x$"
    page = markdown_with_pictures(source, pictures, markdown_to_html)
    assert f'<img src="{PNG}" alt="my page"' in page
    assert "<mi>x</mi>" in page


@pytest.mark.parametrize(
    "source",
    [
        '![" onerror="alert(1)](attachment:a.png)',
        '<a title="![x](attachment:a.png)" href="https://pytorch.org">y</a>',
        "![![x](attachment:a.png)](https://pytorch.org)",
        "<script>![x](attachment:a.png)</script>",
    ],
)
def test_an_attached_picture_adds_no_attribute(source):
    made = markdown_with_pictures(source, {"a.png": PNG}, markdown_to_html)
    page = BeautifulSoup(made, "html.parser")
    assert all(set(element.attrs) <= {"src", "alt", "title", "href"} for element in page())
    assert page.find_all("script") == []


def test_a_picture_is_shown_once():
    source = "![x](attachment:a.png)" * 50 + '<img src="attached-picture:0">'
    assert markdown_with_pictures(source, {"a.png": PNG}, markdown_to_html).count(PNG) == 1


def test_formulas_cannot_grow_without_end():
    doubling = "".join(rf"\def\{b}{{\{a}\{a}}}" for a, b in pairwise("abcdefghijklmnopqrstuvwxyz"))
    page = markdown_to_html(rf"$\def\a{{xx}}{doubling}\z$ and $x$" + " $y$" * 1000)
    assert r"\def\z" in page
    assert "<mi>x</mi>" in page
    assert page.count("<math") <= formulas.MAX_FORMULAS


@pytest.mark.parametrize(
    "source",
    [
        ">" * 20_000,
        "[" * 20_000,
        "# a\n" * 5_000,
        "<div>" * 4_000,
        "<script " * 2_000,
        "x" * 20_001,
        '<img src="attachment:a">\n\n![a][b]\n\n[b]: attachment:c.png',
    ],
)
def test_odd_text_does_not_end_the_feedback(source):
    assert markdown_to_html(source)


def test_a_figure_says_what_its_author_says_it_shows():
    """`metadata.alt` of the cell, where the release has one; a student's own cell has none."""
    config = Config()
    use_proctor(config, ".")
    config.HTMLExporter.template_name = "feedback"
    cells = [
        new_code_cell(
            "draw()",
            metadata=metadata,
            outputs=[new_output("display_data", data={"image/png": "iVBORw0KGgo="})],
        )
        for metadata in ({"alt": 'a <b> "staircase"'}, {})
    ]
    totals = {"late_penalty": 0, "score": 1, "max_score": 1, "notebook": "n"}
    page, _ = FeedbackExporter(config=config).from_notebook_node(
        new_notebook(cells=cells), {"nbgrader": totals}
    )
    assert 'alt="a &lt;b&gt; &quot;staircase&quot;"' in page
    assert 'alt="what the code above drew"' in page
