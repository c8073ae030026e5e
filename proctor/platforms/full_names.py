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


def meant_by(name: str, listed: Mapping[str, str]) -> list[str]:
    """The ids of those who may be meant, by the strictest reading that fits anybody: the same
    words, in any order (family name first), or with middle names that one of the two leaves out."""
    shown = words_of(name)
    known = {student: words_of(full) for student, full in listed.items()}
    for fits in (lambda words: words == shown, lambda words: sorted(words) == sorted(shown)):
        found = [student for student, words in known.items() if words and fits(words)]
        if found:
            return found
    return [student for student, words in known.items() if is_without_middle(words, shown)]


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
