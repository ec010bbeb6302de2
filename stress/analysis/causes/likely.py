"""Which root causes fit a finding: category, place, course over time, behaviour under load.

The catalogue is data (`likely.toml`); this file only matches it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any

MOST = 3
TIMED = 2
STEADY = "constant"


@dataclass(frozen=True, slots=True)
class Root:
    """A root cause of the catalogue; an empty list matches everything."""

    says: str
    categories: tuple[str, ...]
    loci: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signs:
    """What a finding looks like."""

    category: str
    loci: Collection[str]
    """Dimensions of its conditions and aliases; `chain` or `none` when there are no conditions."""
    shape: str
    load: str | None = None
    """`independent` or `dependent`; None: not known, which matches neither."""
    subject: str = ""
    differs: str = ""


def likely(signs: Signs) -> tuple[str, ...]:
    """The root causes that fit, the most specific first, at most three."""
    scored = [(_score(root, signs), place, root.says) for place, root in enumerate(catalogue())]
    fitting = sorted((-score, place, says) for score, place, says in scored if score is not None)
    return tuple(says for _, _, says in fitting[:MOST])


def _score(root: Root, signs: Signs) -> int | None:
    """How many of its lists match; None when one does not."""
    if not any(fnmatchcase(signs.category, pattern) for pattern in root.categories):
        return None
    asked = (
        (root.loci, bool(set(root.loci) & set(signs.loci))),
        (root.shapes, signs.shape in root.shapes),
        (root.loads, signs.load in root.loads),
        (root.subjects, _holds(root.subjects, signs.subject)),
        (root.differs, _holds(root.differs, signs.differs)),
    )
    given = [matches for wanted, matches in asked if wanted]
    if not all(given):
        return None
    # What happened in time says more than where: a place is always there.
    timed = bool(root.shapes) and signs.shape != STEADY
    return len(given) + (TIMED if timed else 0)


def _holds(parts: tuple[str, ...], text: str) -> bool:
    return any(part in text.casefold() for part in parts)


@lru_cache(maxsize=1)
def catalogue() -> tuple[Root, ...]:
    """The catalogue, in the order of its file."""
    from tomllib import loads  # noqa: PLC0415 - only a failing run needs it

    text = files("stress.analysis.causes").joinpath("likely.toml").read_text("utf-8")
    return tuple(_root(entry) for entry in loads(text)["cause"])


def _root(entry: Mapping[str, Any]) -> Root:
    lists = {key: tuple(value) for key, value in entry.items() if key != "says"}
    return Root(says=entry["says"], **lists)
