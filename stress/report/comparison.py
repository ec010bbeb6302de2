"""Two runs side by side, as text and as JSON: what changed first, then what it stands on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from stress.text.escape import escape, escape_json

if TYPE_CHECKING:  # numpy and scipy come with it
    from stress.analysis.compare.compare import Comparison
    from stress.model.summary import Summary

SCHEMA = "tls-stress/comparison/1"
WIDTH = 100
_LABEL = 16


def render_comparison(found: Comparison) -> str:
    """The answer, what became of each cause, the latencies, and both runs by their headlines."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Comparison) -> Iterator[str]:
    yield from _labelled(found.change.value, found.headline)
    if not found.reasons:
        yield from _changes(found)
    yield from _labelled("before", _run(found.before))
    yield from _labelled("after", _run(found.after))


def _changes(found: Comparison) -> Iterator[str]:
    for change in found.causes:
        yield from _labelled("cause", change.cause)
        yield from _labelled("", change.sentence)
    for shift in found.latency:
        yield from _labelled("slower" if shift.worse else "latency", shift.sentence)


def _run(summary: Summary) -> str:
    return f"{summary.run.name}, {summary.run.started}: {summary.headline}"


def _labelled(label: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        escape(text, longest=2000),
        WIDTH,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )


def comparison_document(found: Comparison) -> str:
    """One JSON document; a bound that is not finite is null."""
    document = {
        "schema": SCHEMA,
        "change": found.change.value,
        "headline": found.headline,
        "reasons": found.reasons,
        "rates": found.rates,
        "causes": found.causes,
        "latency": [
            {
                "phase": shift.phase.value,
                "percentile": shift.percentile,
                "before_us": shift.before_us,
                "after_us": shift.after_us,
                "difference_us": [shift.low_us, shift.high_us],
                "worse": shift.worse,
            }
            for shift in found.latency
        ],
        "before": {"name": found.before.run.name, "file": found.before.run.file},
        "after": {"name": found.after.run.name, "file": found.after.run.file},
    }
    return escape_json(msgspec.json.format(msgspec.json.encode(document), indent=2).decode()) + "\n"
