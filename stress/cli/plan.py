"""`tls-stress plan`: how many handshakes see, measure or rule out a failing share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from stress.cli import console
from stress.errors import ExitCode, UsageError
from stress.text import numbers

if TYPE_CHECKING:
    from stress.analysis.proportions.sizes import SampleSize

Share = Annotated[
    str | None, typer.Option(metavar="SHARE", help="A failing share to see, such as 0.1%.")
]
Relative = Annotated[
    str | None,
    typer.Option(metavar="SHARE", help="With --share: measure it to within 20% of itself."),
]
RuleOut = Annotated[
    str | None, typer.Option(metavar="SHARE", help="A share to rule out when nothing fails.")
]
Backends = Annotated[
    str | None, typer.Option(metavar="N", help="Meet each of so many equal nodes.")
]
Confidence = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE",
        help="How sure to be. [default: 99% to see or to meet, 95% to measure or to rule out]",
    ),
]
Rate = Annotated[
    str, typer.Option(metavar="N[/s]", help="Tells also how long it takes at this rate.")
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
    """Tell how many handshakes a question needs.

    For example: plan --share 0.1%, plan --share 0.1% --relative 20%, plan --rule-out 0.01%,
    plan --backends 12. Several questions at once are answered in turn.
    """
    from stress.text.units import option, rate_per_s  # noqa: PLC0415 - heavy

    per_second = option("--rate", rate_per_s, rate)
    sizes = list(_sizes(share, relative, rule_out, backends, confidence))
    for size in sizes:
        console.put(f"{textwrap.fill(size.sentence, 100)}\n{_line(size, per_second)}\n")
    return ExitCode.CLEAN


class _Sure(TypedDict, total=False):
    """The confidence, where the user gave one."""

    confidence: float


def _sizes(
    share: str | None,
    relative: str | None,
    rule_out: str | None,
    backends: str | None,
    confidence: str | None,
) -> Iterator[SampleSize]:
    """One answer for each question.

    Raises:
        UsageError: no question, or a value that cannot be read or planned for.
    """
    from stress.analysis.proportions import sizes  # noqa: PLC0415 - heavy
    from stress.text import units  # noqa: PLC0415 - heavy

    sure = units.option("--confidence", units.share, confidence)
    by: _Sure = {} if sure is None else {"confidence": sure}
    seen = units.option("--share", units.share, share)
    width = units.option("--relative", units.share, relative)
    excluded = units.option("--rule-out", units.share, rule_out)
    nodes = units.option("--backends", units.positive_count, backends)
    if seen is None and width is not None:
        raise UsageError("--relative says how well to measure, not what", "Add --share 0.1%.")
    if seen is None and excluded is None and nodes is None:
        raise UsageError("there is no question", "Ask one: tls-stress plan --share 0.1%")
    if seen is not None:
        yield sizes.to_see(seen, **by) if width is None else sizes.to_measure(seen, width, **by)
    if excluded is not None:
        yield sizes.to_rule_out(excluded, **by)
    if nodes is not None:
        yield sizes.for_backends(nodes, **by)


def _line(size: SampleSize, per_second: float | None) -> str:
    command = f"    tls-stress run TARGET -n {size.handshakes}"
    if per_second is None:
        return command
    rate = f"{per_second:g}"
    return f"{command} --rate {rate}   ({numbers.clock(size.handshakes / per_second)})"
