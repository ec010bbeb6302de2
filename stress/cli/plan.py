"""`tls-stress plan`: how many handshakes detect, measure or rule out a failure rate."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stress.cli import console
from stress.errors import ExitCode, UsageError
from stress.text import numbers

if TYPE_CHECKING:
    from stress.analysis.proportions.sizes import SampleSize

Share = Annotated[
    str | None,
    typer.Option("--share", metavar="SHARE", help="A failure rate to detect, such as 0.1%."),
]
Relative = Annotated[
    str | None,
    typer.Option(
        "--relative",
        metavar="SHARE",
        help="With --share: measure it to this precision, such as 20% of itself.",
    ),
]
RuleOut = Annotated[
    str | None,
    typer.Option(
        "--rule-out", metavar="SHARE", help="A failure rate to rule out when nothing fails."
    ),
]
Backends = Annotated[
    str | None, typer.Option("--backends", metavar="N", help="Reach each of N equal backends.")
]
Confidence = Annotated[
    str | None,
    typer.Option(
        "--confidence",
        metavar="SHARE",
        help="Confidence. [default: 99% to detect or to reach, 95% to measure or to rule out]",
    ),
]
Rate = Annotated[
    str, typer.Option("--rate", metavar="N[/s]", help="Also print how long it takes at this rate.")
]


def plan(
    *,
    share: Share = None,
    relative: Relative = None,
    rule_out: RuleOut = None,
    backends: Backends = None,
    confidence: Confidence = None,
    rate: Rate = "50/s",
) -> int:
    """Compute how many handshakes are needed.

    Several options are answered in turn.

    Examples:
        tls-stress plan --share 0.1%
        tls-stress plan --share 0.1% --relative 20%
        tls-stress plan --rule-out 0.01% --rate 200/s
        tls-stress plan --backends 12
    """
    from stress.analysis.proportions import sizes
    from stress.text import units

    per_second = units.option("--rate", units.rate_per_s, rate)
    level = units.option("--confidence", units.share, confidence)
    by: dict[str, Any] = {} if level is None else {"confidence": level}
    detected = units.option("--share", units.share, share)
    width = units.option("--relative", units.share, relative)
    excluded = units.option("--rule-out", units.share, rule_out)
    nodes = units.option("--backends", units.positive_count, backends)
    found: list[SampleSize] = []
    if detected is None and width is not None:
        raise UsageError("--relative needs a failure rate to measure", "Add --share 0.1%.")
    if detected is not None:
        found.append(
            sizes.to_see(detected, **by)
            if width is None
            else sizes.to_measure(detected, width, **by)
        )
    if excluded is not None:
        found.append(sizes.to_rule_out(excluded, **by))
    if nodes is not None:
        found.append(sizes.for_backends(nodes, **by))
    if not found:
        raise UsageError(
            "Nothing to compute", "Give --share, --rule-out or --backends: plan --share 0.1%"
        )
    for size in found:
        command = f"    tls-stress run TARGET -n {size.handshakes}"
        if per_second is not None:
            seconds = numbers.clock(size.handshakes / per_second)
            command = f"{command} --rate {per_second:g}   ({seconds})"
        console.print_data(f"{textwrap.fill(size.sentence, 100)}\n{command}\n")
    return ExitCode.CLEAN
