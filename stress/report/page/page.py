"""The HTML page: one file that needs nothing else, and that a stranger's names cannot harm.

What is true here:

* Everything that is written by an expression of the template goes through `_shown` (control and
  bidirectional characters become visible) and then through the template engine's escaping. Only
  drawings, which hold no text of strangers, are taken as they are.
* The Content-Security-Policy names the hashes of the one style sheet and of the one script. Nothing
  else may run, nothing may be fetched, no element may carry a `style` attribute.
* Each figure carries its exact value beside the rounded one, as `data-value`, in JSON's spelling:
  the tables are sorted by it, and whoever reads the page by program finds the numbers of `--json`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.tally import RunCounts, count
from stress.model.limit import Limit
from stress.model.plan import Plan
from stress.model.run import Phase, Run, RunFacts
from stress.model.summary import Answer, Cause, Interval, Summary
from stress.model.transcript import Transcript
from stress.report.page.drawing import draw_course, draw_knee, draw_panel
from stress.report.page.pairs import pairs
from stress.report.page.series import course, panels, shares
from stress.report.page.timelines import timelines
from stress.text import numbers
from stress.text.escape import escape

# How the run asked: every choice that somebody needs to repeat it or to doubt it.


def parameters(summary: Summary, facts: RunFacts) -> tuple[tuple[str, str], ...]:
    """Label and value; what was not chosen is left out."""
    return tuple(
        (label, value)
        for label, value in (
            *_of_the_run(summary, facts),
            *_of_the_asking(facts.plan),
            *_of_the_judging(facts.plan),
            *facts.versions.items(),
        )
        if value
    )


def _of_the_run(summary: Summary, facts: RunFacts) -> Iterator[tuple[str, str]]:
    load = facts.plan.load
    yield "run", summary.run.name
    yield "file", summary.run.file
    yield "from", facts.host
    yield "started", summary.run.started
    yield "lasted", numbers.clock(summary.run.duration_s)
    yield "ended", facts.end.value
    yield "profile", facts.plan.profile
    yield "planned", "" if load.count is None else numbers.counted(load.count, "handshake")
    yield "duration", "" if load.duration_s is None else f"{load.duration_s:g} s"
    yield "offered rate", _rate(facts.plan)
    yield "most in flight", numbers.thousands(load.concurrency)
    yield "processes", numbers.thousands(load.processes)
    yield "seed", str(facts.plan.seed)


def _rate(plan: Plan) -> str:
    load = plan.load
    if load.segments:
        return f"in {numbers.counted(len(load.segments), 'segment')}, {load.arrivals.value}"
    if load.rate is None:
        return "each that ends starts the next (closed loop)"
    return f"{numbers.rate(load.rate)}, {load.arrivals.value}"


def _of_the_asking(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "target", str(plan.target)
    yield "addresses at the start", numbers.thousands(len(plan.addresses))
    yield "clients", ", ".join(client.name for client in plan.clients)
    yield "server name sent", plan.server_name or "none"
    yield "TLS stack", plan.stack.value
    yield "closed with", plan.close.value
    yield "sources", ", ".join(plan.sources)
    yield "resolver", plan.resolver or ""
    yield "PROXY header", plan.proxy_protocol or ""
    yield "client certificate", "sent when asked for" if plan.client_certificate else ""
    yield "an attempt may take", f"{plan.limits.attempt_s:g} s"
    yield "consent", plan.authorized or ""


def _of_the_judging(plan: Plan) -> Iterator[tuple[str, str]]:
    trust = plan.trust
    yield "name checked", trust.host
    yield (
        "policy",
        trust.policy or ", ".join(dict.fromkeys(client.policy for client in plan.clients)),
    )
    anchors = numbers.counted(len(trust.anchors), "anchor")
    yield "trust anchors", f"{trust.anchors_from} ({anchors}{', private' * trust.private})"
    yield "public keys pinned", numbers.thousands(len(trust.pins)) if trust.pins else ""
    yield "notes", " ".join(plan.notes)


if TYPE_CHECKING:
    from jinja2 import Template

LONGEST = 4_000
"""Characters of one text that the page shows."""
_SIGNS = {
    Answer.CLEAN: "✓",
    Answer.FAILING: "✗",
    Answer.INCONCLUSIVE: "?",
    Answer.INVALID: "!",
    Answer.INTERRUPTED: "!",
}
_MEANINGS = {
    Phase.CONNECT: "connect: until the TCP connection stood",
    Phase.SERVER: "server: the target's own time",
    Phase.HANDSHAKE: "handshake: as a client feels it",
    Phase.TOTAL: "total: from the intended start to the ending",
}
_PHASES = ("connect", "server", "handshake", "total", "attempt", "failing-total", "lag")


class PageReport:
    """Renders a summary with what the run file adds to it: chains, course, distributions.

    Args:
        run: the run that the summary is of; it is read while rendering.
        transcripts: what was kept of it byte for byte.
    """

    def __init__(self, run: Run, transcripts: Sequence[Transcript] = ()) -> None:
        self._run, self._transcripts = run, transcripts

    def render(self, summary: Summary) -> str:
        """The whole page.

        Raises:
            RunFileError: the run file is damaged.
        """
        cube = self._run.cube()
        return _template().render(
            {
                **_frame(summary),
                **_details(self._run, summary, count(cube.cells)),
                "course": _course(self._run, course(cube)),
                "timelines": timelines(self._transcripts, summary.causes, self._run.facts().plan),
            }
        )


def _frame(summary: Summary) -> Mapping[str, Any]:
    """What is the same for every page, and the summary itself."""
    style, script = _part("style.css"), _part("script.js")
    return {
        "style": _safe(style),
        "script": _safe(script),
        "policy": _policy(style, script),
        "summary": summary,
        "sign": _SIGNS[summary.verdict],
        "phases": [name for name in _PHASES if name in summary.latency],
    }


def _details(run: Run, summary: Summary, tally: RunCounts) -> Mapping[str, Any]:
    facts, chains = run.facts(), run.chains()
    return {
        "pairs": pairs(chains, run.verdicts(), tally),
        "shares": shares(summary, tally, facts, chains),
        "panels": [
            (_MEANINGS[panel.phase], _safe(draw_panel(panel))) for panel in panels(run.histograms())
        ],
        "limits": [
            (limit, _knee(limit, f"knee-{number}")) for number, limit in enumerate(summary.limits)
        ],
        "parameters": parameters(summary, facts),
        "inside": _inside,
    }


def _course(run: Run, counted: Any) -> Any:
    """The drawing of failures over time; None when nothing failed or there is no time."""
    if not counted.failures or len(counted.attempts) < 2:
        return None
    return _safe(draw_course(counted, run.facts().started_ns))


def _knee(limit: Limit, name: str) -> Any:
    """The drawing of a search's steps; None when there are too few for a curve."""
    return _safe(draw_knee(limit, name)) if len(limit.steps) > 1 else None


def _inside(cause: Cause) -> Interval:
    """The interval of the failing share among the connections of a cause."""
    return clopper_pearson(cause.failures, cause.attempts)


def _policy(style: str, script: str) -> str:
    """Content Security Policy Level 3: nothing but these two, by their hashes."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    """The template, with a filter for each kind of figure."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - heavy, and only needed here

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": numbers.thousands,
        "percent": lambda share: "-" if share is None else numbers.percent(share),
        "interval": numbers.interval,
        "milliseconds": numbers.milliseconds,
        "raw": json.dumps,
        "plural": numbers.counted,
    }
    return environment.from_string(_part("page.html.jinja"))


def _shown(value: Any) -> Any:
    """What an expression gave, harmless to look at; escaping for HTML comes after this."""
    return escape(value, longest=LONGEST) if type(value) is str else value


def _safe(markup: str) -> Any:
    """Markup of our own, which is not escaped."""
    from markupsafe import Markup  # noqa: PLC0415 - with the template engine

    return Markup(markup)  # noqa: S704 - drawn or written by us, no text of strangers in it
