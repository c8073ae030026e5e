"""Answers that can be read together because they are alike.

How alike two texts are is the cosine of their character n-grams, weighed by how rare they are.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from proctor.course import CourseError

# Distances between all pairs are held in memory: 3,000 texts take 70 MB.
MOST_TEXTS = 3000
MOST_CHARACTERS = 4000  # of each text
STRICTEST, LOOSEST = 0.95, 0.2


def groups(texts: Mapping[str, str], alike: float) -> dict[str, int]:
    """The group of each text, by its key: at least this much alike (0 to 1), on average.

    Raises CourseError where there are too many to compare.
    """
    keys = sorted(texts)
    if len(keys) < 2:
        return dict.fromkeys(keys, 0)
    if len(keys) > MOST_TEXTS:
        raise CourseError(
            f"there are {len(keys):,} different answers, and at most {MOST_TEXTS:,} are compared "
            "with each other, so groups are of equal answers only."
        )
    alike = min(max(alike, LOOSEST), STRICTEST)
    return dict(zip(keys, clusters(tuple(texts[key] for key in keys), alike), strict=True))


@functools.lru_cache(16)
def clusters(texts: tuple[str, ...], alike: float) -> tuple[int, ...]:
    """The number of each text's cluster."""
    from sklearn.cluster import AgglomerativeClustering

    clustering = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - alike
    )
    return tuple(map(int, clustering.fit_predict(distances(texts))))


@functools.lru_cache(2)
def distances(texts: tuple[str, ...]) -> Any:
    """A matrix [N, N], from 0 (the same n-grams) to 1 (none in common)."""
    # Here, because they take a second to import and most pages need no groups.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_distances

    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    return cosine_distances(grams.fit_transform([text[:MOST_CHARACTERS] + " ." for text in texts]))
