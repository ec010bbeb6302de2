"""The HTML page: one file that needs nothing else, and that a stranger's names cannot harm.

What is true here:

* Everything that an expression of the template gives goes through `escape` (control and
  bidirectional characters become visible) and is then escaped for HTML. Only
  drawings, which hold no text of strangers, are taken as they are.
* The Content-Security-Policy names the hashes of the one style sheet and of the one script. Nothing
  else may run, nothing may be fetched, no element may carry a `style` attribute.
* Each figure carries its exact value beside the rounded one, as `data-value`, in JSON's spelling:
  the tables are sorted by it, and whoever reads the page by program finds the numbers of `--json`.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from stress.analysis.tally import count
from stress.analysis.verdict import policy_names
from stress.model.run import Run
from stress.model.summary import Answer, Cause, Summary
from stress.model.transcript import Transcript
from stress.report.page.drawing import draw_history, draw_knee, draw_panels
from stress.report.page.pairs import pairs, timelines
from stress.report.page.series import (
    MOST_ROWS,
    column_rates,
    failure_history,
    panels,
    scale_of,
    shares,
)
from stress.report.terminal import LABELS, PHASES, without_codes
from stress.report.wording.backends import backends_title, clock, met_words, server_facts
from stress.text.escape import escape
from stress.text.templates import markup, read_part, template

_SIGNS = {Answer.CLEAN: "✓", Answer.FAILING: "✗", Answer.INCONCLUSIVE: "?"}
_PHASES = (
    *("connect", "proxy", "starttls", "server", "handshake"),
    *("total", "attempt", "failing-total", "lag"),
)


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
        style, script = (read_part(__package__, name) for name in ("style.css", "script.js"))
        phases = panels(self._run.histograms())
        if cube.records:
            rates = column_rates(cube.records)
        else:
            rates = shares(summary, tally, facts, chains, cube)
        drawn = history.failures and len(history.attempts) > 1
        views = summary.unexplained.clients or any(one.clients for one in summary.causes)
        who = summary.lines.who
        page = template(
            __package__,
            "page.html.jinja",
            lambda words: html.escape(escape(words, longest=4_000)),
            raw=json.dumps,
        )
        return page.render(
            style=markup(style),
            script=markup(script),
            # Content Security Policy Level 3: nothing but these two, by their hashes.
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
            "img-src data:; base-uri 'none'; form-action 'none'",
            summary=summary,
            servers=server_facts(summary),
            backends_title=backends_title(summary.backend_count),
            most_backends=MOST_ROWS,
            met_words=met_words,
            clock=clock,
            labels=LABELS,
            who_fails=without_codes(who) if views else who,
            sign=_SIGNS.get(summary.verdict, "!"),
            phases=[name for name in _PHASES if name in summary.latency],
            pairs=pairs(chains, self._run.verdicts(), tally),
            shares=rates,
            scale=scale_of([*summary.backends, *(row for each in rates for row in each.rows)]),
            panels=[
                (f"{panel.phase}: {PHASES[panel.phase]}", markup(drawing))
                for panel, drawing in zip(phases, draw_panels(phases), strict=True)
            ],
            some_failed=any(panel.failing for panel in phases),
            limits=[
                # Too few steps make no curve.
                (one, _at_widths(draw_knee, one, f"knee-{n}") if len(one.steps) > 1 else None)
                for n, one in enumerate(summary.limits)
            ],
            facts=facts,
            plan=facts.plan,
            policies=policy_names(facts.plan),
            failures_there=failures_there,
            history=_at_widths(draw_history, history, begun_ns, facts.first_ns) if drawn else None,
            timelines=timelines(self._transcripts, summary.causes, facts.plan),
        )


def failures_there(cause: Cause) -> int:
    """Failures under its conditions, also those that an earlier cause explains."""
    return round(cause.precision * cause.attempts)


def _at_widths(draw: Callable[..., str], *shown: Any) -> tuple[Any, Any]:
    """A drawing for a wide page, and the same for a telephone."""
    return tuple(markup(draw(*shown, narrow=narrow)) for narrow in (False, True))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
