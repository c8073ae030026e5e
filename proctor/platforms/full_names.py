"""Full names as Moodle writes them into the names of files, and who of a class is meant by one."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

# Moodle drops these from names of files, and `..`; people type apostrophes in many ways.
DROPPED = re.compile(r"[&<>\"`|':\\/?*%.\u2018\u2019\u02bc\u00b4]")
BETWEEN = re.compile(r"[\s_,]+")


def words_of(name: str) -> list[str]:
    """The words of a name without what systems write differently: signs, blanks, capitals, forms
    of one and the same letter."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    plain = "".join(sign for sign in plain if unicodedata.category(sign) not in ("Cc", "Cf", "Mn"))
    return BETWEEN.sub(" ", DROPPED.sub("", plain)).split()


class KnownNames:
    """The full names of a class, by id, to be asked about many times."""

    def __init__(self, listed: Mapping[str, str]):
        self.words = {student: words_of(full) for student, full in listed.items()}
        self.in_order: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self.in_any_order: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self.with_word: dict[str, list[str]] = defaultdict(list)
        for student, words in self.words.items():
            if words:
                self.in_order[tuple(words)].append(student)
                self.in_any_order[tuple(sorted(words))].append(student)
            for word in set(words):
                self.with_word[word].append(student)

    def meant_by(self, name: str) -> list[str]:
        """The ids of those who may be meant, by the strictest reading that fits anybody: the same
        words, in any order (family name first), or with middle names that one of the two leaves
        out."""
        shown = words_of(name)
        if not shown:
            return []
        found = self.in_order.get(tuple(shown)) or self.in_any_order.get(tuple(sorted(shown)))
        # A name that lacks the first word of the other one differs by more than middle names.
        candidates = self.with_word.get(shown[0], [])
        return found or [
            student for student in candidates if is_without_middle(self.words[student], shown)
        ]


def is_without_middle(one: list[str], other: list[str]) -> bool:
    """Whether two names of two words or more differ by middle names alone."""
    short, long = sorted((one, other), key=len)
    ends = {long[0], long[-1]} if long else set()
    return len(short) >= 2 and ends <= set(short) and set(short) <= set(long)


def groups_among(names: Iterable[tuple[str, str]]) -> frozenset[str]:
    """What several people's names, given with their numbers, begin with up to a hyphen: Moodle
    puts the name of a group there. A hyphen in one person's name is that person's."""
    people = defaultdict(set)
    for number, name in names:
        for place in (found.start() for found in re.finditer("-", name)):
            people[name[:place]].add(number)
    return frozenset(prefix for prefix, numbers in people.items() if prefix and len(numbers) > 1)


def without_group(name: str, groups: Iterable[str]) -> list[str]:
    """What is left of a name behind each of the groups that it begins with."""
    return [name[len(group) + 1 :] for group in groups if name.startswith(f"{group}-")]
