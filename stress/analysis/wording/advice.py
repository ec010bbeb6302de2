"""What to do about one way to fail, and who would notice it, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

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
    """What to do, as a sentence; where an issuer was not sent with its name and its address."""
    last = open_end(chain.certificates) if chain and outcome in _UNFINISHED else None
    missing = printable(last.issuer) if last else ""
    words = fix_for(outcome, missing).rstrip(".")
    where = _where(last.aia_issuers) if last else ""
    return f"{words[:1].upper()}{words[1:]}.{where}" if words else ""


def _where(addresses: tuple[str, ...]) -> str:
    """The first address that a browser could open; certificates name files and directories too."""
    open_to_all = (url for url in addresses if url.lower().startswith(("http:", "https:")))
    return "".join(f" It can be had at {_url(url)}." for url in islice(open_to_all, 1))


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
