"""Draws the plots of the page with matplotlib, imported when the first one is drawn.

Nothing that came over the network is ever drawn: outcomes and phases are our own names, so no text
of a stranger meets matplotlib's mathematics or its fonts. Series differ by line or hatch and not
only by colour. `Figure` is used without pyplot, so nothing of the process is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from io import StringIO
from logging import ERROR, getLogger
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from stress.model.limit import Limit, Standing, Step
from stress.text import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from stress.report.page.series import Curve, FailureHistory, Panel

# How a drawing of matplotlib is made to fit into a page of ours:
#
# A page with a strict Content-Security-Policy allows no `style` attribute and no style element
# beside its own. So every style declaration becomes a presentation attribute (SVG 1.1 section 6.1:
# each of these properties has one), and each colour of the palette also becomes a class, which lets
# the page's style sheet choose another colour in the dark. Without the style sheet (some mail
# readers drop it) the attributes remain, and the drawing is a light one.
#
# Identifiers are renamed, because several drawings stand in one page.

PALETTE: Mapping[str, str] = {
    "ink": "#1b2330",
    "muted": "#5a6474",
    "line": "#dadee5",
    "paper": "#ffffff",
    "good": "#1d6a8a",
    "bad": "#b3261e",
    "bad2": "#8f5a00",
    "bad3": "#6a4199",
    "bad4": "#4c5866",
}
"""Name of a colour, which is also its class in the style sheet -> its light form."""

_NAMES = {colour: name for name, colour in PALETTE.items()}
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_DROPPED = frozenset({f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"})
_FONT = re.compile(r"(?:(?P<weight>\d+|bold) )?(?P<size>[\d.]+)px .*")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline(drawing: str, name: str, described: str) -> str:
    """The drawing as an `svg` element for a page.

    Args:
        drawing: a whole SVG document as matplotlib writes it, with text as text.
        name: prefix of its identifiers, unique in the page.
        described: what it shows, for those who do not see it; may hold any character.
    """
    root = ET.fromstring(drawing)  # noqa: S314 - made by our own process a moment ago
    # What no reader sees, and the style element that the policy forbids.
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _DROPPED]:
            parent.remove(child)
    for element in root.iter():
        _restyle(element)
        if "id" in element.attrib:
            element.set("id", f"{name}-{element.attrib['id']}")
        target = element.attrib.pop(_XLINK, None)
        if target is not None:
            element.set("href", f"#{name}-{target.removeprefix('#')}")
        for key, value in element.attrib.items():
            if "url(#" in value:
                element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": described, "class": "plot"}
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _restyle(element: ET.Element) -> None:
    """Turns declarations into attributes; colours become classes too."""
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        font = _FONT.fullmatch(value) if key == "font" else None
        if font is not None:
            # Size and weight are kept; the family is the page's.
            element.set("font-size", font["size"])
            if font["weight"]:
                element.set("font-weight", font["weight"])
        elif key and key not in {"font", "font-family"}:
            element.set(key, value)
    classes = [
        f"{kind[0]}-{_NAMES[colour]}"
        for kind in ("fill", "stroke")
        if (colour := element.get(kind, "").lower()) in _NAMES
    ]
    if classes:
        element.set("class", " ".join(classes))


_SIZES = {False: (9.4, 3.2), True: (4.0, 3.2)}
"""Inches, of a drawing over the whole page; True: for a telephone."""
_HATCHES = ("", "////", "xxxx", "....")
_COLOURS = ("bad", "bad2", "bad3", "bad4")


def draw_history(
    history: FailureHistory, begun_ns: int, first_ns: int | None = None, *, narrow: bool = False
) -> str:
    """Failures in each window, stacked by outcome, above the attempts of the same windows.

    Args:
        history: what to draw.
        begun_ns: Unix time at which its first window begins.
        first_ns: Unix time of the first attempt, at which the axis begins.
        narrow: for a telephone.
    """
    total = sum(sum(counts) for _, counts in history.failures)
    described = (
        f"Bars: {numbers.counted(total, 'failure')} in windows of {history.width_ns / 1e9:g} s, "
        f"by outcome, above {numbers.counted(sum(history.attempts), 'attempt')} in the same "
        "windows."
    )
    with _figure(*_SIZES[narrow], f"course-{narrow}", described) as (figure, done):
        upper, lower = figure.subplots(
            2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw={"hspace": 0.14}
        )
        begun = datetime.fromtimestamp(begun_ns / 1e9, UTC)
        # Datetimes, which matplotlib's types do not know.
        width: Any = timedelta(microseconds=history.width_ns / 1000)
        times: Any = [begun + width * index for index in range(len(history.attempts))]
        below = [0] * len(times)
        for index, (name, counts) in enumerate(history.failures):
            upper.bar(
                times,
                counts,
                width,
                bottom=below,
                align="edge",
                color=PALETTE[_COLOURS[index]],
                hatch=_HATCHES[index],
                edgecolor=PALETTE["paper"],
                linewidth=0.4,
                label=f"{name} ({numbers.thousands(sum(counts))})",
            )
            below = [low + count for low, count in zip(below, counts, strict=True)]
        upper.set_ylim(0, max(1, *below) * 1.08)
        if history.failures:
            upper.legend(
                loc="lower left", bbox_to_anchor=(0, 1), ncols=1 if narrow else 4, borderaxespad=0.2
            )
        lower.bar(times, history.attempts, width, align="edge", color=PALETTE["line"])
        _label_counts(upper, "failures")
        _label_counts(lower, "attempts")
        first = datetime.fromtimestamp(max(begun_ns, first_ns or 0) / 1e9, UTC)
        _label_times(lower, first, times[-1] + width, 3 if narrow else 11)
        figure.align_ylabels()
    return done()


def _label_times(axes: Any, first: datetime, last: datetime, most: int) -> None:
    """Times of day, at most so many, each another."""
    from matplotlib import dates as untyped  # noqa: PLC0415 - heavy

    dates: Any = untyped
    day = "%m-%d " if first.date() != last.date() else ""
    seconds = ":%S" if last - first < timedelta(minutes=20) else ""
    if last - first < timedelta(seconds=most):
        axes.xaxis.set_major_locator(dates.SecondLocator(tz=UTC))
    else:
        locator = dates.AutoDateLocator(minticks=2, maxticks=most, tz=UTC)
        # Else nothing fits what is shorter than two of the next unit, such as 107 s, and it warns.
        for unit, whole in ((dates.SECONDLY, 60), (dates.MINUTELY, 60), (dates.HOURLY, 24)):
            locator.intervald[unit].append(whole)
        axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.DateFormatter(f"{day}%H:%M{seconds}", tz=UTC))
    axes.set_xlim(first, last)
    axes.set_xlabel("time of day, UTC")


def _label_counts(axes: Axes, label: str) -> None:
    """Whole numbers, few lines."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - heavy

    axes.set_ylabel(label)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.thousands(int(value))))
    axes.grid(visible=False, axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def draw_panels(panels: Sequence[Panel]) -> list[str]:
    """The percentile curves of each phase, on the same axes; their figures are in the table."""
    curves = [one for panel in panels for one in (panel.good, panel.failing, panel.lag) if one]
    # All of each phase is visible, and of the lag at least its tail.
    lowest = [one.milliseconds[0] for each in panels for one in (each.good, each.failing) if one]
    lowest += [each.lag.milliseconds[-1] for each in panels if each.lag]
    highest = [one.milliseconds[-1] for one in curves]
    longest = max((one.nines[-1] for one in curves), default=1.0)
    heights = (0.5 * min(lowest, default=1.0), 2.0 * max(highest, default=1.0))
    return [_panel(panel, max(1.0, longest), heights) for panel in panels]


def _panel(panel: Panel, longest: float, heights: tuple[float, float]) -> str:
    phase = panel.phase.value
    named = {
        "good": panel.good,
        "failing": panel.failing,
        "client event-loop lag": panel.lag,
    }
    values = (
        f"{name}: {numbers.thousands(curve.count)} values, longest {curve.milliseconds[-1]:,.3g} ms"
        for name, curve in named.items()
        if curve is not None
    )
    described = f"Percentile curves of the phase {phase}. {'; '.join(values)}."
    with _figure(4.0, 2.7, f"panel-{phase}", described) as (figure, done):
        axes = figure.subplots()
        _line(axes, panel.lag, "muted", (0, (1, 1.6)))
        _line(axes, panel.good, "good", "-")
        _line(axes, panel.failing, "bad", (0, (5, 2)))
        axes.set_ylabel("ms")
        _logarithmic(axes)
        axes.set_ylim(heights)
        # The powers of ten on the axis, named as percentages.
        labels = {0.0: "0%", 1.0: "90", 2.0: "99", 3.0: "99.9", 4.0: "99.99", 5.0: "99.999"}
        labels |= {0.30103: "50"} if longest < 3.5 else {}
        labels |= {6.0: "99.9999", 7.0: "99.99999"} if longest > 5.5 else {}
        shown = {place: label for place, label in labels.items() if place <= longest}
        axes.set_xticks(list(shown), list(shown.values()))
        axes.set_xlim(0, longest * 1.02)
        axes.set_xlabel("percentile")
    return done()


def _line(axes: Axes, curve: Curve | None, colour: str, style: Any) -> None:
    if curve is None:
        return
    axes.plot(
        curve.nines,
        curve.milliseconds,
        drawstyle="steps-post",
        color=PALETTE[colour],
        linestyle=style,
        linewidth=1.2 if colour == "muted" else 1.6,
        marker="o" if curve.count == 1 else "",
        markersize=4,
    )


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis of milliseconds with plain numbers at its powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: PLC0415 - heavy

    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def draw_knee(limit: Limit, name: str, *, narrow: bool = False) -> str:
    """The steps of a search by what they offered: latency above, what failed or was not sent below.

    The band marks the knee: from the highest that was sustained to the first that gave way.
    """
    from matplotlib.ticker import NullLocator  # noqa: PLC0415 - heavy

    steps = sorted((step for step in limit.steps if step.attempts), key=lambda step: step.rate)
    ours = [step.rate for step in steps if step.standing is Standing.GENERATOR]
    gave_way = "not tested by this machine from" if limit.generator_limited else "gave way at"
    knee = [
        f"{words} {numbers.offered(load)}{limit.knob.unit}"
        for words, load in (("held at", limit.sustained), (gave_way, limit.first_failing))
        if load is not None
    ]
    described = (
        f"Latency and failure rate of {numbers.counted(len(limit.steps), 'step')} by what was "
        f"offered{'; the goal ' if knee else ''}{' and '.join(knee)}."
    )

    def ms(value_us: float | None) -> float | None:
        return None if value_us is None else max(0.001, value_us / 1000)

    with _figure(*_SIZES[narrow], f"{name}-{narrow}", described) as (figure, done):
        upper, lower = figure.subplots(
            2, 1, sharex=True, height_ratios=(3, 2), gridspec_kw={"hspace": 0.1}
        )
        _steps(upper, steps, lambda step: ms(step.p99_us), "p99", "bad", "s-")
        _steps(upper, steps, lambda step: ms(step.p50_us), "p50", "good", "o--")
        _steps(lower, steps, lambda step: step.failed / step.attempts, "failed", "bad", "s-")
        _steps(lower, steps, _unsent, "not sent", "bad4", "^:")
        upper.set_ylabel("total, ms")
        _logarithmic(upper)
        lower.set_ylabel("share")
        # Zoomed to what there is: a fraction of a per cent decides.
        most = max((max(s.failed / s.attempts, _unsent(s)) for s in steps), default=0.0)
        top = min(1.0, max(0.01, most))
        lower.set_ylim(-0.02 * top, 1.1 * top)
        for axes in (upper, lower):
            for number, rate in enumerate(ours):
                label = "" if number else "generator-limited"
                axes.axvline(rate, color=PALETTE["muted"], linestyle=":", label=label, zorder=0)
            if limit.sustained is not None and limit.first_failing is not None:
                axes.axvspan(limit.sustained, limit.first_failing, color=PALETTE["line"], zorder=0)
            axes.legend(loc="upper left", ncols=2)
        # Loads in ratio, as the search takes them; the ends and the knee by name.
        ends = [steps[0].rate, steps[-1].rate] if steps else []
        named = sorted({*ends, *filter(None, (limit.sustained,))})
        lower.set_xscale("log")
        lower.xaxis.set_minor_locator(NullLocator())
        lower.set_xticks(named, [numbers.offered(place) for place in named])
        lower.set_xlabel(limit.knob.heading)
        figure.align_ylabels()
    return done()


def _unsent(step: Step) -> float:
    return step.not_sent / (step.attempts + step.not_sent)


def _steps(
    axes: Axes,
    steps: Sequence[Step],
    value: Callable[[Step], float | None],
    label: str,
    colour: str,
    style: str,
) -> None:
    """One figure of each step that has it, with a marker for each."""
    found = [(step.rate, value(step)) for step in steps]
    known: Any = [(rate, figure) for rate, figure in found if figure is not None]
    places, heights = zip(*known, strict=True) if known else ((), ())
    axes.plot(places, heights, style, color=PALETTE[colour], label=label, markersize=4)


@contextmanager
def _figure(
    width: float, height: float, name: str, described: str
) -> Iterator[tuple[Any, Callable[[], str]]]:
    """A figure in our style, and the function that gives the finished drawing."""
    # It warns of slow font caches and read-only homes, which are no concern of a reader's.
    getLogger("matplotlib").setLevel(ERROR)
    from matplotlib import rc_context  # noqa: PLC0415 - heavy
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    drawn = StringIO()
    with rc_context(_style()):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, lambda: inline(drawn.getvalue(), name, described)
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})


@cache
def _style() -> Any:
    """Our settings over those that matplotlib has by itself, whatever a matplotlibrc says."""
    from matplotlib import rc_params_from_file  # noqa: PLC0415 - heavy

    with resources.as_file(resources.files(__package__) / "plots.mplstyle") as path:
        settings = rc_params_from_file(path)
    return {name: value for name, value in settings.items() if not name.startswith("backend")}
