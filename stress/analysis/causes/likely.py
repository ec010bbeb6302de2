"""Finds the root causes that fit the evidence: category, place, course over time, load, chains.

The catalogue is data (`likely.toml`); `signs.py` collects the evidence, this module matches it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from math import inf

import msgspec

from stress.codes.catalog import alert_name
from stress.model.claims import RootCause
from stress.model.outcome import Outcome

MOST = 4
TIMED = 2
STEADY = "constant"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence for a root cause; an empty list matches everything."""

    categories: tuple[str, ...]
    loci: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    excluded_by: tuple[str, ...] = ()
    bonus: int = 0


class Root(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A root cause of the catalogue."""

    id: str
    text: str
    fix: str
    excluded_by: tuple[str, ...] = ()
    broad: tuple[str, ...] = ()
    """Categories for which it is named when no rule of any cause matches."""
    when: tuple[Rule, ...] = ()
    phrase: str = ""
    """What failing handshakes did, where it says more than the phrase of their outcome."""
    try_clients: tuple[str, ...] = ()
    try_options: tuple[str, ...] = ()
    """The experiment that tells it apart: the same run with these clients or options. A word in
    braces, such as `{starttls}`, stands for the value of a fact."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    evidence: dict[str, str]
    """What the report says of a fact, a shape or a load; {} is its value."""
    cause: tuple[Root, ...]


_ANY = Rule(())


@lru_cache(maxsize=1)
def _file() -> _File:
    text = files("stress.analysis.causes").joinpath("likely.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _File)


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Root]:
    """The catalogue by id, in the order of its file."""
    return {root.id: root for root in _file().cause}


@dataclass(frozen=True, slots=True)
class Signs:
    """What a finding looks like."""

    category: str
    loci: Collection[str]
    """Dimensions of its conditions and aliases; `chain` or `none` when there are no conditions."""
    shape: str
    load: str | None = None
    """`independent` or `dependent`; None: not known, which matches neither."""
    stages: Collection[str] = ()
    """How far the failing connections came."""
    subject: str = ""
    """Subject and issuer of the failing certificate."""
    differs: str = ""
    facts: Collection[str] = ()
    """What else is known, such as `one-address`; `signs.py` names all of them."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What the report quotes of a fact."""


def likely(signs: Signs) -> tuple[RootCause, ...]:
    """The root causes that fit, the best supported first; at most four.

    Never empty for a failure: where no rule matches, the broad causes of its category are named.
    """
    roots, facts = catalogue().values(), set(signs.facts)
    allowed = [root for root in roots if not facts & set(root.excluded_by)]
    # The best rule of each; the first of the catalogue where two are supported equally well.
    found: dict[str, tuple[float, Rule]] = {}
    for root in allowed:
        scored = [(_score(rule, signs), rule) for rule in root.when]
        score, rule = max(scored, key=lambda pair: pair[0], default=(-inf, _ANY))
        if score > -inf:
            found[root.id] = score, rule
    best = sorted(found, key=lambda name: -found[name][0])
    broad = [root.id for root in allowed if _matches(root.broad, signs.category)]
    if not best and not broad:
        broad = [root.id for root in roots if _matches(root.broad, signs.category)]
    return tuple(
        RootCause(
            name,
            tuple(_evidence(found[name][1] if name in found else _ANY, signs)),
            _options(catalogue()[name], signs),
        )
        for name in (best or broad)[:MOST]
    )


def _options(root: Root, signs: Signs) -> tuple[str, ...]:
    """The options of its experiment; none where the value of one is not known."""
    try:
        return tuple(word.format(**signs.values) for word in root.try_options)
    except KeyError:
        return ()


def _evidence(rule: Rule, signs: Signs) -> Iterator[str]:
    """What the rule found, in words; the place and the share are in the sentence of the cause."""
    # What differs or is slow while nothing fails has a name of its own, and is no outcome.
    if rule.categories and signs.category.startswith("alert-"):
        number = Outcome.parse(signs.category).alert or 0
        yield f"alert {number}, {alert_name(number)}"
    facts = [*rule.needs, *([signs.shape] if rule.shapes else [])]
    facts += [f"load-{signs.load}"] if rule.loads else []
    for fact in facts:
        if phrase := _file().evidence.get(fact):
            yield phrase.format(signs.values.get(fact, ""))


def _matches(patterns: Sequence[str], category: str) -> bool:
    return any(fnmatchcase(category, pattern) for pattern in patterns)


def _score(rule: Rule, signs: Signs) -> float:
    """How many lists of a rule match; minus infinity when one of them does not."""
    if not _matches(rule.categories, signs.category) or set(rule.excluded_by) & set(signs.facts):
        return -inf

    def contains(parts: tuple[str, ...], text: str) -> bool:
        return any(part in text.casefold() for part in parts)

    tested = (
        (rule.loci, bool(set(rule.loci) & set(signs.loci))),
        (rule.shapes, signs.shape in rule.shapes),
        (rule.loads, signs.load in rule.loads),
        (rule.stages, bool(signs.stages) and set(signs.stages) <= set(rule.stages)),
        (rule.subjects, contains(rule.subjects, signs.subject)),
        (rule.differs, contains(rule.differs, signs.differs)),
        (rule.needs, set(rule.needs) <= set(signs.facts)),
    )
    given = [matches for wanted, matches in tested if wanted]
    if not all(given):
        return -inf
    # What happened in time says more than where: there is always a place.
    timed = bool(rule.shapes) and signs.shape != STEADY
    return len(given) + rule.bonus + (TIMED if timed else 0)
