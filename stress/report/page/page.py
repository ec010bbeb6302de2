"""The HTML page: one file that needs nothing else, and that a stranger's names cannot harm.

What is true here:

* Everything that an expression of the template goes through `shown` (control and
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
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from stress.analysis.proportions.binomial import clopper_pearson
from stress.analysis.tally import count
from stress.analysis.verdict import policy_names
from stress.model.run import Phase, Run, RunFacts
from stress.model.summary import Answer, Cause, Summary
from stress.model.transcript import Transcript
from stress.report.page.drawing import draw_history, draw_knee, draw_panel
from stress.report.page.pairs import pairs
from stress.report.page.series import failure_history, panels, shares
from stress.report.page.timelines import timelines
from stress.text import numbers
from stress.text.escape import escape

if TYPE_CHECKING:
    from jinja2 import Template

LONGEST = 4_000
"""Characters of one text that the page shows."""
_SIGNS = {Answer.CLEAN: "✓", Answer.FAILING: "✗", Answer.INCONCLUSIVE: "?"}
_MEANINGS = {
    Phase.CONNECT: "connect: TCP connect time",
    Phase.SERVER: "server: the target's own time",
    Phase.HANDSHAKE: "handshake: as a client sees it",
    Phase.TOTAL: "total: from the intended start to the outcome",
}
_PHASES = ("connect", "server", "handshake", "total", "attempt", "failing-total", "lag")


class PageReport:
    """Renders a summary with what the run file adds to it: chains, history, distributions.

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
        cube, facts, chains = self._run.cube(), self._run.facts(), self._run.chains()
        tally, history = count(cube.cells), failure_history(cube)
        begun_ns = facts.started_ns + history.begun * cube.block_ns
        style, script = _part("style.css"), _part("script.js")
        drawn = history.failures and len(history.attempts) > 1
        page = _template().render(
            style=_safe(style),
            script=_safe(script),
            # Content Security Policy Level 3: nothing but these two, by their hashes.
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
            "img-src data:; base-uri 'none'; form-action 'none'",
            summary=summary,
            sign=_SIGNS.get(summary.verdict, "!"),
            phases=[name for name in _PHASES if name in summary.latency],
            pairs=pairs(chains, self._run.verdicts(), tally),
            shares=shares(summary, tally, facts, chains),
            panels=[
                (_MEANINGS[panel.phase], _safe(draw_panel(panel)))
                for panel in panels(self._run.histograms())
            ],
            limits=[
                # Too few steps make no curve.
                (one, _safe(draw_knee(one, f"knee-{n}")) if len(one.steps) > 1 else None)
                for n, one in enumerate(summary.limits)
            ],
            parameters=parameters(summary, facts),
            failures_there=failures_there,
            inside=lambda cause: clopper_pearson(failures_there(cause), cause.attempts),
            history=_safe(draw_history(history, begun_ns, facts.first_ns)) if drawn else None,
            timelines=timelines(self._transcripts, summary.causes, facts.plan),
        )
        return str(page)


def failures_there(cause: Cause) -> int:
    """Failures under its conditions, also those that an earlier cause explains."""
    return round(cause.precision * cause.attempts)


def parameters(summary: Summary, facts: RunFacts) -> tuple[tuple[str, str], ...]:
    """Every choice that somebody needs to repeat the run or to doubt it; label and value.

    What was not chosen is left out.
    """
    plan, load, trust = facts.plan, facts.plan.load, facts.plan.trust
    if load.segments:
        rate = f"in {numbers.counted(len(load.segments), 'segment')}, {load.arrivals.value}"
    elif load.rate is None:
        rate = "each attempt that ends starts the next (closed loop)"
    else:
        rate = f"{numbers.rate(load.rate)}, {load.arrivals.value}"
    anchors = numbers.counted(len(trust.anchors), "anchor")
    everything = {
        "run": summary.run.name,
        "file": summary.run.file,
        "from": facts.host,
        "started": summary.run.started,
        "lasted": numbers.clock(summary.run.duration_s),
        "ended": facts.end.value,
        "profile": plan.profile,
        "planned": "" if load.count is None else numbers.counted(load.count, "handshake"),
        "duration": "" if load.duration_s is None else f"{load.duration_s:g} s",
        "offered rate": rate,
        "concurrency limit": numbers.thousands(load.concurrency),
        "processes": numbers.thousands(load.processes),
        "seed": str(plan.seed),
        "target": str(plan.target),
        "addresses at the start": numbers.thousands(len(plan.addresses)),
        "clients": ", ".join(client.name for client in plan.clients),
        "server name sent": plan.server_name or "none",
        "TLS stack": plan.stack.value,
        "closed with": plan.close.value,
        "sources": ", ".join(plan.sources),
        "resolver": plan.resolver or "",
        "PROXY header": plan.proxy_protocol or "",
        "client certificate": "sent on request" if plan.client_certificate else "",
        "attempt timeout": f"{plan.limits.attempt_s:g} s",
        "consent": plan.authorized or "",
        "name checked": trust.host,
        "policy": policy_names(plan),
        "trust anchors": f"{trust.anchors_from} ({anchors}{', private' * trust.private})",
        "public keys pinned": numbers.thousands(len(trust.pins)) if trust.pins else "",
        "notes": " ".join(plan.notes),
        **facts.versions,
    }
    return tuple((label, value) for label, value in everything.items() if value)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    """The template, with a filter for each kind of figure."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - heavy, and only needed here

    def shown(value: Any) -> Any:
        """What an expression gave, harmless to look at; escaping for HTML comes after this."""
        return escape(value, longest=LONGEST) if type(value) is str else value

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        keep_trailing_newline=True,
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


def _safe(markup: str) -> Any:
    """Markup of our own, which is not escaped."""
    from markupsafe import Markup  # noqa: PLC0415 - with the template engine

    return Markup(markup)  # noqa: S704 - drawn or written by us, no text of strangers in it
