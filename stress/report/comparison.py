"""Two runs side by side, as text and as JSON: what changed first, then what that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stress.report.lines import labelled
from stress.text.escape import escape_json

if TYPE_CHECKING:  # numpy and scipy come with it
    from stress.analysis.compare.compare import Comparison

SCHEMA = "tls-stress/comparison/1"
_COLUMN = 16


def render_comparison(found: Comparison) -> str:
    """The answer, what became of each cause, the latencies, and both runs by their headlines."""
    rows = [(found.change.value, found.headline)]
    if not found.reasons:
        for change in found.causes:
            rows += [("cause", change.cause), ("", change.sentence)]
        rows += [("slower" if one.worse else "latency", one.sentence) for one in found.latency]
    rows += [
        (label, f"{one.run.name}, {one.run.started}: {one.headline}")
        for label, one in (("before", found.before), ("after", found.after))
    ]
    lines = [line for label, text in rows for line in labelled(label, text, _COLUMN)]
    return "\n".join(lines) + "\n"


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
