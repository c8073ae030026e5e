"""How long `proctor similar` takes for a large class, in processor time of one core.

    .venv/bin/python benchmarks/likeness.py [--students 2000]

The class is made of the labelled answers, dealt out at random with a remark of its own each, and of
some copies. Aim: 2,000 submissions in under two minutes.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

from proctor.course import Course, read_notebook
from proctor.grading.labelled import (
    as_submission,
    load_answers,
    reference_answers,
    with_answers,
)
from proctor.grading.rebuilding import rebuild
from proctor.pages.likeness import Document, Part, compare, document_of

COURSE = Course(Path(__file__).parent.parent)
ASSIGNMENT = "mnist_loss"
SYLLABLES = ("ba", "ko", "mi", "ru", "te", "sol", "van", "dri", "plo", "que")


def submissions(count: int) -> list[bytes]:
    """Files of a class; each twentieth is a copy of the one before."""
    choose = random.Random(0)
    release = read_notebook(COURSE.release(ASSIGNMENT))
    reference = reference_answers(read_notebook(COURSE.reference(ASSIGNMENT)))
    answers = load_answers(COURSE, ASSIGNMENT)
    files: list[bytes] = []
    for number in range(count):
        if number % 20 == 19:
            files.append(files[-1])
            continue
        chosen = {answer.cell: answer.source for answer in choose.sample(answers, 4)}
        words = ["".join(choose.choices(SYLLABLES, k=3)) for _ in range(30)]
        written = {"explain_better": " ".join(words)}
        files.append(as_submission(with_answers(release, {**reference, **chosen, **written})))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=2000)
    options = parser.parse_args()
    files = submissions(options.students)
    release, reference = (
        read_notebook(place(ASSIGNMENT)) for place in (COURSE.release, COURSE.reference)
    )
    began = time.process_time()
    documents = [
        document_of(f"student-{number:05}", rebuild(content, release).notebook, release)
        for number, content in enumerate(files)
    ]
    read = time.process_time()
    known = [
        Document("", (Part(answer.cell, "code", answer.source),))
        for answer in load_answers(COURSE, ASSIGNMENT)
    ]
    found = compare(documents, given=[release, reference], known=known)
    compared = time.process_time()
    print(f"{options.students} submissions: {len(found.pairs)} pairs, {len(found.groups)} groups")
    print(f"  read     {read - began:6.1f} s of one core")
    print(f"  compared {compared - read:6.1f} s")


if __name__ == "__main__":
    main()
