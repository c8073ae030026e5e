"""Attacks by the file that is handed in: its JSON, its cells and metadata, what lies beside it."""

# ruff: noqa: E501 (lines of students are as long as they are)

import base64
import json
import os

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from hostile.attack import (
    EVERYTHING,
    MARK,
    RIGHT,
    WRONG,
    Attack,
    cell_of,
    on_wrong,
    with_sources,
)

WRONG_BASE = {"mnist_loss": WRONG}
SCRIPT = f"<script>{MARK}()</script>"


def changed(grade_id, **labels):
    """A rewrite that changes nbgrader's metadata of a cell."""

    def rewrite(notebook):
        cell_of(notebook, grade_id).metadata["nbgrader"].update(labels)
        return notebook

    return rewrite


def metadata_attack(name, tries, rewrite, **more):
    return Attack(name, tries, WRONG_BASE, WRONG_BASE, rewrite=rewrite, **more)


def without_graded_cells(notebook):
    notebook.cells = [
        cell for cell in notebook.cells if not cell.metadata.get("nbgrader", {}).get("grade")
    ]
    return notebook


def doubled(grade_id, first):
    def rewrite(notebook):
        copy = nbformat.from_dict(cell_of(notebook, grade_id))
        copy.id = "copied"
        copy.source = with_pass(copy.source)
        notebook.cells.insert(0 if first else len(notebook.cells), copy)
        return notebook

    return rewrite


def with_pass(text):
    return f"print('all passed')\n5.0\n# {len(text)}"


def bonus(notebook):
    labels = {
        "grade_id": "bonus", "grade": True, "points": 100, "solution": False, "locked": True,
        "schema_version": 3, "task": False, "cell_type": "code", "checksum": "0" * 32,
    }  # fmt: skip
    notebook.cells.append(new_code_cell("100.0", metadata={"nbgrader": labels}))
    return notebook


def edited_tests(notebook):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.source = "100.0"
            cell.outputs = [new_output("execute_result", {"text/plain": "100.0"})]
    return notebook


def stripped(notebook):
    for cell in notebook.cells:
        cell.metadata = {}
        cell.pop("id", None)
    return notebook


def retyped(notebook):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.cell_type = "raw"
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    return notebook


def other_kernel(notebook):
    notebook.metadata = {
        "kernelspec": {"name": "../../evil", "display_name": SCRIPT, "language": "bash"},
        "language_info": {"name": "bash", "file_extension": "/../../../../tmp/x"},
        "title": SCRIPT,
    }
    return notebook


def swapped_ids(notebook):
    """The right sigmoid under the id of the wrong mnist_loss, and the other way round."""
    first, second = cell_of(notebook, "mnist_loss"), cell_of(notebook, "sigmoid")
    first.metadata["nbgrader"]["grade_id"] = "sigmoid"
    second.metadata["nbgrader"]["grade_id"] = "mnist_loss"
    first.id, second.id = second.id, first.id
    return notebook


def odd_ids(notebook):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata["nbgrader"]["grade_id"] = "mnist_loss_vаlues"  # noqa: RUF001
    notebook.cells[0].id = "../../../x"
    notebook.cells[1].id = notebook.cells[2].id = "same"
    return notebook


def checksums(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["checksum"] = "f" * 32
    return edited_tests(notebook)


def half_a_name(notebook):
    """Pictures whose name is half a character, which JSON holds and no file can."""
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell["attachments"] = {"\ud800.png": {"image/png": picture}}
    return json.dumps(notebook).encode()


def live_html(notebook):
    notebook.cells[0:0] = [new_markdown_cell(text) for text in LIVE]
    cell_of(notebook, "explain_better").source = "\n\n".join(LIVE)
    cell_of(notebook, "mnist_loss").source += LIVE_CELL
    return notebook


LIVE = [
    SCRIPT,
    f"<img src=x onerror='{MARK}()'>",
    f"<svg onload='{MARK}()'><animate onbegin='{MARK}()'/></svg>",
    f"[link](javascript:{MARK}())",
    f"<a href='&#106;avascript:{MARK}()'>x</a>",
    f"<iframe srcdoc='&lt;script&gt;{MARK}()&lt;/script&gt;'></iframe>",
    f"<style>body {{ display: none; content: '{MARK}' }}</style>",
    f"<meta http-equiv='refresh' content='0;url=javascript:{MARK}()'>",
    f"<form action='javascript:{MARK}()'><button>x</button></form>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={MARK}()>",
    f"$$</script><script>{MARK}()</script>$$",
    f"```\n</code></pre><script>{MARK}()</script>\n```",
    f"![x](attachment:'onerror={MARK}())",
    f"<details open ontoggle={MARK}()>",
    f"\x1b]8;;javascript:{MARK}()\x07x\x1b]8;;\x07",
]
LIVE_CELL = f"""
from IPython.display import HTML, Javascript, Latex, Markdown, SVG, display
for text in {LIVE!r}:
    display(HTML(text), Markdown(text), Latex(text))
    print(text)
display(Javascript("{MARK}()"))
display({{"text/html": "<script>{MARK}()</script>", "image/svg+xml": "<svg onload='{MARK}()'/>",
         "application/vnd.jupyter.widget-view+json": {{"model_id": "{MARK}"}},
         "image/png": "x' onerror='{MARK}()"}}, raw=True,
        metadata={{"image/png": {{"width": "1' onload='{MARK}()"}}}})
raise ValueError({LIVE[0]!r} + "\\x1b[31m" + {LIVE[1]!r})
"""


def link_to_reference(folder, data):
    (folder / "mnist_loss.ipynb").unlink()
    (folder / "mnist_loss.ipynb").symlink_to(
        folder.parents[2] / "source" / "mnist_loss" / "mnist_loss.ipynb"
    )


def folder_is_a_link(folder, data):
    (folder / "mnist_loss.ipynb").unlink()
    folder.rmdir()
    folder.symlink_to(folder.parents[2] / "source" / "mnist_loss")


def folder_leads_to_graders(folder, data):
    (folder / "mnist_loss.ipynb").unlink()
    folder.rmdir()
    folder.symlink_to(folder.parents[2] / "tests" / "graders" / "mnist_loss")


def links_beside(folder, data):
    course = folder.parents[2]
    (folder / "data.txt").symlink_to(course / "source" / "mnist_loss" / "mnist_loss.ipynb")
    (folder / "more").symlink_to(course / "tests" / "graders")
    (folder / "gradebook.db").symlink_to(course / "gradebook.db")
    os.link(course / "source" / "mnist_loss" / "mnist_loss.ipynb", folder / "hard.txt")
    (folder / "hard.txt").unlink()  # a hard link needs rights that no student has


def pipe(folder, data):
    (folder / "mnist_loss.ipynb").unlink()
    os.mkfifo(folder / "mnist_loss.ipynb")


def pipe_beside(folder, data):
    os.mkfifo(folder / "timestamp.txt")
    os.mkfifo(folder / "data.csv")


def sparse(folder, data):
    with (folder / "mnist_loss.ipynb").open("wb") as file:
        file.truncate(1 << 40)


def sparse_beside(folder, data):
    with (folder / "data.bin").open("wb") as file:
        file.truncate(1 << 40)


def many_beside(folder, data):
    for number in range(3000):
        (folder / f"file-{number}.txt").write_text("x")


def named_oddly(folder, data):
    (folder / "mnist_loss.ipynb").rename(folder / "mnist_loss\n\x1b[2J<script>'.ipynb")


def several(folder, data):
    (folder / "mnist_loss.ipynb").unlink()
    for name in ("*", "mnist_loss (1)", "[a-z]*"):
        (folder / f"{name}.ipynb").write_bytes(data)


def files_of_the_course(folder, data):
    (folder / "nbgrader_config.py").write_text(f"raise SystemExit('{MARK}')")
    (folder / "conftest.py").write_text(f"raise SystemExit('{MARK}')")
    (folder / "test_mnist_loss.py").write_text("def test_x(): pass")
    (folder / "sitecustomize.py").write_text(f"raise SystemExit('{MARK}')")
    (folder / "torch.py").write_text(f"raise SystemExit('{MARK}')")
    (folder / "timestamp.txt").write_text("1900-01-01 00:00:00 UTC")


IMPORTS = """
for name in ("helpers", "secrets", "graders.test_mnist_loss", "pipe", "sparse", "proctor.authoring"):
    try:
        module = __import__(name)
        print(name, open(module.__file__).read())
    except BaseException as error:
        print(name, error)
"""
SPY = """
import glob, os
for place in ("..", "../..", "/home", "/root", "/tmp", "/var", "/engine"):
    for name in glob.glob(f"{place}/**/*.*", recursive=True)[:200]:
        if name.endswith((".db", ".json", ".txt", "mnist_loss.py")):
            print(name, open(name).read())
"""


def modules_beside(folder, data):
    """Everything that a run may import, and what should not be read at all."""
    for name in (
        *("torch", "proctor", "pytest", "nbgrader", "nbformat", "json", "sitecustomize"),
        *("usercustomize", "test_mnist_loss", "sqlite3", "linecache", "traceback", "helpers"),
    ):
        (folder / f"{name}.py").write_text(f"print('{MARK}')\n{SPY}\nraise SystemExit('{MARK}')")
    (folder / "proctor").mkdir()
    for name in ("__init__", "cli", "authoring"):
        (folder / "proctor" / f"{name}.py").write_text(f"raise SystemExit('{MARK}')")
    (folder / "secrets.py").symlink_to("../../../tests/answers/mnist_loss.py")
    (folder / "graders").symlink_to("../../../tests/graders/mnist_loss")
    os.mkfifo(folder / "pipe.py")
    with (folder / "sparse.py").open("wb") as file:
        file.truncate(1 << 40)
    for number in range(300):
        (folder / f"m{number}.py").write_text("x = '" + "x" * 10_000 + "'")


def raw(text):
    return lambda notebook: text if isinstance(text, bytes) else text.encode()


REJECTED = {
    "empty file": b"",
    "no JSON": b"I could not open the file, sorry",
    "cut in the middle": b'{"nbformat": 4, "cells": [{"cell_type": "code"',
    "a number": b"5",
    "nbformat 99": b'{"nbformat": 99, "cells": []}',
    "nested lists": b"[" * 200_000,
    "a number of a million digits": b'{"nbformat": ' + b"4" * 1_000_000 + b"}",
    "five megabytes of lists": b'{"nbformat": 4, "cells": [' + b"[]," * 1_600_000 + b"[]]}",
    "not UTF-8": b'{"nbformat": 4, "cells": ["\xff\xfe"]}\xff',
    "a zip file": b"PK\x03\x04" + bytes(1000),
    "thirty megabytes of text, four bytes each": (
        b'{"nbformat": 4, "cells": [{"source": "\xf0\x9f\x98\x80' + b"x" * (30 << 20) + b'"}]}'
    ),
    "too large": b'{"nbformat": 4, "cells": [], "x": "' + b"x" * (17 << 20) + b'"}',
}

ATTACKS = [
    metadata_attack(
        "F01 graded cells deleted", "no cell that could fail is left", without_graded_cells
    ),
    metadata_attack(
        "F02 points raised", "500 points for one cell", changed("mnist_loss_values", points=500)
    ),
    metadata_attack(
        "F03 not graded", "cells that nobody grades", changed("mnist_loss_values", grade=False)
    ),
    metadata_attack(
        "F04 test cell as an answer",
        "a graded cell that claims to be the student's own",
        changed("mnist_loss_values", solution=True, locked=False),
    ),
    metadata_attack(
        "F05 graded cell twice, before", "a copy that passes, first", doubled("mnist_loss_values", True)
    ),
    metadata_attack(
        "F05 graded cell twice, after", "a copy that passes, last", doubled("mnist_loss_values", False)
    ),
    metadata_attack("F06 bonus cell", "a graded cell of the student's own, of 100 points", bonus),
    metadata_attack(
        "F07 tests edited", "tests that give points, with outputs that say so", edited_tests
    ),
    metadata_attack("F08 no metadata", "cells without metadata and ids", stripped),
    metadata_attack("F08 tests retyped", "graded cells turned into raw cells", retyped),
    metadata_attack("F09 other kernel", "a kernel, language and title that do something", other_kernel),
    metadata_attack("F20 odd ids", "homoglyphs, paths and duplicates as ids", odd_ids),
    metadata_attack("own: forged checksums", "checksums of another release", checksums),
    metadata_attack(
        "own: ids exchanged", "answers under the ids of others", swapped_ids, may_lose=EVERYTHING
    ),
    metadata_attack(
        "own: locked cells edited",
        "set-up cells that redefine what the graders use",
        lambda notebook: with_sources(
            notebook, {"setup": "import builtins, torch\ntorch.where = print\nbuiltins.abs = int"}
        ),
        may_lose=EVERYTHING,
    ),
    *(
        Attack(
            f"F10 {name}",
            "a file that no parser likes",
            {},
            {},
            may_lose=EVERYTHING,
            reason=r".",
            rewrite=raw(data),
        )
        for name, data in REJECTED.items()
    ),
    Attack("F11 no cells", "a notebook of nothing", {}, {}, may_lose=EVERYTHING,
           rewrite=raw('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')),
    Attack("F11 cells of odd kinds", "cells that are no cells", {}, {}, may_lose=EVERYTHING,
           rewrite=raw(json.dumps({"nbformat": 4, "cells": [1, None, [], {"source": 5},
                                   {"cell_type": {}, "source": ["x", 1]}, {"metadata": 5,
                                   "source": "x", "cell_type": "code"}]}))),
    Attack("F12 links beside it", "links to solutions, graders and the gradebook", WRONG_BASE,
           WRONG_BASE, place=links_beside, reason=r"symbolic link"),
    Attack("F13 link in place of it", "the notebook is a link to the instructor's", {}, {},
           may_lose=EVERYTHING, place=link_to_reference, reason=r"symbolic link"),
    Attack("F13 folder is a link", "the folder is a link to the instructor's", {}, {},
           may_lose=EVERYTHING, place=folder_is_a_link, reason=r"link"),
    Attack("F13 folder is a link to graders", "files beside a notebook are copied", {}, {},
           may_lose=EVERYTHING, place=folder_leads_to_graders, set_aside=True),
    Attack("F15 an id that is a pattern", "the student's folder names other students", WRONG_BASE,
           WRONG_BASE, suffix="-hostile[0-9]*", set_aside=True),
    Attack("F15 an id that is a formula", "the student's folder is a formula and markup",
           WRONG_BASE, WRONG_BASE, suffix="-hostile =1+1 <b onclick=hostile_mark()> 'x'"),
    Attack("F14 named pipe", "opening the notebook would wait for ever", {}, {},
           may_lose=EVERYTHING, place=pipe, reason=r"named pipe"),
    Attack("F14 named pipes beside it", "opening the time stamp would wait for ever", WRONG_BASE,
           WRONG_BASE, place=pipe_beside, reason=r"named pipe"),
    Attack("F14 sparse file", "a notebook of a terabyte", {}, {}, may_lose=EVERYTHING,
           place=sparse, reason=r"bytes"),
    Attack("F14 sparse file beside it", "a terabyte to copy", WRONG_BASE, WRONG_BASE,
           place=sparse_beside, reason=r"bytes"),
    Attack("F15 many files", "three thousand files to copy", WRONG_BASE, WRONG_BASE,
           place=many_beside),
    Attack("F15 odd file name", "a name with a line break, terminal codes and markup", WRONG_BASE,
           WRONG_BASE, place=named_oddly),
    Attack("F15 names that match others", "several notebooks, named as patterns", {}, {},
           may_lose=EVERYTHING, place=several, reason=r"not clear which"),
    Attack("own: modules beside it", "modules named like the grader's, links, a pipe, a terabyte",
           {"mnist_loss": WRONG + IMPORTS}, WRONG_BASE, place=modules_beside,
           reason=r"symbolic link"),
    Attack("own: files of the course", "configuration, graders and modules in the folder",
           WRONG_BASE, WRONG_BASE, place=files_of_the_course),
    Attack("own: half a name", "pictures with a name that cannot be written", WRONG_BASE,
           WRONG_BASE, rewrite=half_a_name, reason=r"is no name"),
    Attack("H01 live markup", "scripts, handlers, frames and links in text, outputs and errors",
           {"mnist_loss": RIGHT}, {"mnist_loss": RIGHT}, rewrite=live_html, may_lose=EVERYTHING),
    on_wrong(
        "H04 terminal codes",
        "colours, titles and fake log lines in outputs and errors",
        r"""
        import sys
        print("\x1b[2J\x1b]0;owned\x07\rscore 15 of 15\n[AutogradeApp | INFO] all passed\x9b31m")
        sys.stderr.write("\x1b[8m hidden \u202e reversed")
        raise ValueError("\x1b]52;c;aG9zdGlsZQ==\x07 \r\n mnist_loss: 15 of 15")
        """,
    ),
    on_wrong(
        "own: markup that takes for ever",
        "HTML and markdown that a cleaner needs minutes for",
        """
        from IPython.display import HTML, Markdown, display
        for number in range(20):
            display(HTML("<div>" * 15_000))
            display(HTML("<b " + " ".join(f"a{i}=1" for i in range(10_000)) + ">"))
            display(HTML("".join(f"<b a{i}>" for i in range(2000)) + "<p>x" * 10_000))
            display(Markdown("[" * 19_000), Markdown("**a*" * 4_000))
        """,
    ),
]  # fmt: skip
