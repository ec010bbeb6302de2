"""The Markdown form, for the summary of a CI step and for tickets (GitHub's dialect).

Names from certificates are text and nothing else here: no emphasis, no link that GitHub makes
out of `www.` or `https://`, no table cell, no HTML, and nobody is notified by an `@name`.
"""

from __future__ import annotations

import re

from stress.model.summary import Answer, Summary
from stress.report.terminal import LABELS
from stress.report.wording.backends import backends_title, clock, met_words, server_facts
from stress.text.escape import escape
from stress.text.templates import template

LONGEST_TABLE = 20
"""Rows of one table; what is left out is counted."""
_LONGEST = 2_000
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~&!$]|^[#+=-]")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_LINKED = re.compile(r"(?<=:)/(?=/)|(?i:(?<=www)\.)")
_CALLS = re.compile(r"([@#])(?=\w)")
_SIGNS = {Answer.CLEAN: "✅", Answer.FAILING: "❌"}


class MarkdownReport:
    """The verdict, the ten lines, causes, and the tables folded away."""

    def render(self, summary: Summary) -> str:
        """The document, ending in a newline."""
        return template(__package__, "markdown.md.jinja", text, code=code).render(
            summary=summary,
            backends_title=backends_title,
            server_facts=server_facts,
            met_words=met_words,
            clock=clock,
            sign=_SIGNS.get(summary.verdict, "⚠️"),
            labels=LABELS,
            longest=LONGEST_TABLE,
            addresses=sorted(summary.addresses, key=lambda one: (-one.interval.low, -one.failures)),
        )


def text(words: str) -> str:
    """Words that Markdown takes for words."""
    shown = _SPECIAL.sub(r"\\\g<0>", escape(words, longest=_LONGEST).strip())
    shown = _NUMBERED.sub(r"\1\\\2", shown)
    return _CALLS.sub("\\1\u200b", _LINKED.sub(r"\\\g<0>", shown))


def code(words: str) -> str:
    """Words as a block that can be copied; the fence is longer than any in it."""
    shown = escape(words, longest=_LONGEST)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{shown}\n{fence}"
