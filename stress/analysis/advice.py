"""What to do about one way to fail, and who would notice it, in words for people."""

from __future__ import annotations

from collections.abc import Mapping

from stress.model.outcome import Category
from stress.model.run import SeenChain
from stress.model.summary import ClientView
from stress.trust import describe, fix_for, printable

LONGEST_REPORT = 48
LONGEST_URL = 200
_ANSWERS = (("yes", "Fails for"), ("sometimes", "Sometimes for"), ("no", "Not for"))


def remedy(outcome: str, chain: SeenChain | None = None) -> str:
    """What to do, as a sentence; of an incomplete chain with the name of what was not sent."""
    missing = where = ""
    if outcome == Category.INCOMPLETE_CHAIN and chain and chain.certificates:
        last = describe(chain.certificates[-1])
        missing = printable(last.issuer)
        where = "".join(f" It can be had at {_url(url)}." for url in last.aia_issuers[:1])
    words = fix_for(outcome, missing).rstrip(".")
    return f"{words[:1].upper()}{words[1:]}.{where}" if words else ""


def _url(url: str) -> str:
    return printable(url, LONGEST_URL)


def who_sees(views: Mapping[str, ClientView]) -> str:
    """Which client families fail, with the codes their users see; one line for people."""
    parts = [_family(views, answer, words) for answer, words in _ANSWERS]
    return " ".join(part for part in parts if part)


def _family(views: Mapping[str, ClientView], answer: str, words: str) -> str:
    named = [
        f"{family} ({_short(view.reports)})" if view.reports and answer != "no" else family
        for family, view in views.items()
        if view.fails == answer
    ]
    return f"{words} {', '.join(named)}." if named else ""


def _short(reports: str) -> str:
    """The code, without what follows it; the whole text is in the list of the cause."""
    text = reports.split(";", maxsplit=1)[0].split(" (", maxsplit=1)[0]
    if len(text) <= LONGEST_REPORT:
        return text
    return f"{text[:LONGEST_REPORT].rsplit(' ', 1)[0]} …"
