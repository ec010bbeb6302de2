"""Writes what to do about an outcome, and which clients would notice it."""

from __future__ import annotations

from collections.abc import Mapping

from stress.model.outcome import Category
from stress.model.run import SeenChain
from stress.model.summary import ClientView
from stress.text.escape import printable
from stress.trust import fix_for, open_end

_UNFINISHED = (Category.INCOMPLETE_CHAIN, Category.WRONG_INTERMEDIATE)
LONGEST_REPORT = 48
LONGEST_URL = 200
_ANSWERS = (("yes", "Fails for"), ("sometimes", "Sometimes for"), ("no", "Not for"))


def remedy(outcome: str, chain: SeenChain | None = None) -> str:
    """What to do, as a sentence; names an issuer that was not sent, and where to get it."""
    last = open_end(chain.certificates) if chain and outcome in _UNFINISHED else None
    words = fix_for(outcome, printable(last.issuer) if last else "").rstrip(".")
    if not words:
        return ""
    fix = f"{words[:1].upper()}{words[1:]}."
    # The first address that a browser could open; certificates name files and directories too.
    for url in last.aia_issuers if last else ():
        if url.lower().startswith(("http:", "https:")):
            return f"{fix} It is available at {printable(url, LONGEST_URL)}."
    return fix


def who_sees(views: Mapping[str, ClientView]) -> str:
    """Which client families fail, with the codes their users see; one line for people."""
    parts = []
    for answer, words in _ANSWERS:
        named = [
            f"{family} ({_short(view.reports)})" if view.reports and answer != "no" else family
            for family, view in views.items()
            if view.fails == answer
        ]
        if named:
            parts.append(f"{words} {', '.join(named)}.")
    return " ".join(parts)


def _short(reports: str) -> str:
    """The code, without what follows it; the whole text is in the list of the cause."""
    text = reports.split(";", maxsplit=1)[0].split(" (", maxsplit=1)[0]
    if len(text) <= LONGEST_REPORT:
        return text
    return f"{text[:LONGEST_REPORT].rsplit(' ', 1)[0]} …"
