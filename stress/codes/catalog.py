"""The tables of codes: what each ending means, what cures it, and what each client would show.

The tables are data (`tables/*.toml`, sources in their heads); this module only reads them. Nothing
here looks at a certificate.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from stress.model.outcome import Category, Outcome
from stress.model.summary import ClientView
from stress.model.verdict import Verdict

POLICY_OF: Mapping[str, str] = MappingProxyType(
    {
        "ios-urlsession": "apple",
        "ios-ats-off": "apple",
        "ios-11": "apple-ios12",
        "android-okhttp": "android",
        "chrome": "chrome",
        "firefox": "firefox",
        "java-17": "java",
        "go": "go",
        "python": "openssl",
        "curl-openssl": "curl",
    }
)
"""The trust policy of each family."""
FAMILIES = tuple(POLICY_OF)
"""Client families for which views are given, in the order of reports."""

_ISSUER = "the intermediate certificate"


@dataclass(frozen=True, slots=True)
class Ending:
    """What one category means and what is to be done about it."""

    meaning: str
    fix: str = ""
    clients: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Family -> does it fail, and what it shows."""


@dataclass(frozen=True, slots=True)
class Code:
    """One code of one family of clients."""

    name: str
    says: str = ""
    leaves_open: str = ""
    """What it does not say, where people are likely to think that it does."""
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeTable:
    """The codes of one family."""

    title: str
    source: str
    codes: Mapping[str, Code]


@dataclass(frozen=True, slots=True)
class Alert:
    """A TLS alert, and what clients report when they get it."""

    name: str
    says: str
    apple: str = ""
    chrome: str = "-107"
    firefox: str = ""
    python: str = ""
    go: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence in which a client reports a failure."""

    text: str
    family: str
    says: str
    categories: tuple[str, ...] = ()


def _table(name: str) -> dict[str, object]:
    text = (files("stress.codes") / "tables" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def endings() -> Mapping[str, Ending]:
    """Meaning, fix and views by category name; an alert's are under `alert`."""
    return {name: msgspec.convert(value, Ending) for name, value in _table("outcomes").items()}


@cache
def alerts() -> Mapping[int, Alert]:
    """The alerts by number."""
    return {int(number): msgspec.convert(one, Alert) for number, one in _table("alerts").items()}


@cache
def code_tables() -> Mapping[str, CodeTable]:
    """The tables of numbers and names, by family."""
    found = _table("codes")
    found.pop("groups")
    return {name: msgspec.convert(value, CodeTable) for name, value in found.items()}


@cache
def phrases() -> tuple[Phrase, ...]:
    """The sentences, longest first."""
    found = msgspec.convert(_table("phrases")["phrases"], tuple[Phrase, ...])
    return tuple(sorted(found, key=lambda one: -len(one.text)))


@cache
def _groups() -> Mapping[str, tuple[str, ...]]:
    return msgspec.convert(_table("codes")["groups"], dict[str, tuple[str, ...]])


def spelled_out(categories: Iterable[str]) -> tuple[str, ...]:
    """The categories with groups such as `@trust` replaced by their members, each once."""
    found: dict[str, None] = {}
    for one in categories:
        for name in _groups()[one[1:]] if one.startswith("@") else (one,):
            found[name] = None
    return tuple(found)


def ending(outcome: str) -> Ending:
    """Meaning and fix of an outcome.

    Raises:
        ValueError: no such outcome.
    """
    return endings()[Outcome.parse(outcome).category.value]


def client_views(outcome: str) -> Mapping[str, ClientView]:
    """What each family would do and show, had it met this ending.

    Empty for endings that are no failure of the target.

    Args:
        outcome: `Outcome.name`, such as `expired-leaf`, `reset` or `alert-40`.

    Raises:
        ValueError: no such outcome.
    """
    parsed = Outcome.parse(outcome)
    if parsed.alert is not None:
        return {family: _alert_view(parsed.alert, family) for family in FAMILIES}
    found = endings()[parsed.category.value].clients
    return {family: ClientView(*found[family]) for family in FAMILIES if family in found}


def chain_views(outcome: str, verdicts: Mapping[str, Verdict]) -> Mapping[str, ClientView]:
    """What each family would do and show, given the very chain that led to this ending.

    Args:
        outcome: a trust ending, `Outcome.name`.
        verdicts: of that chain, by policy. Families without one are told as `client_views` does;
            so are all of them where none refuses, for then it was not the chain alone (a staple).

    Raises:
        ValueError: no such outcome.
    """
    general = client_views(outcome)
    if all(verdicts[one].headline is None for one in POLICY_OF.values() if one in verdicts):
        return general
    return {
        family: _given(verdicts.get(POLICY_OF[family]), family) or view
        for family, view in general.items()
    }


def _given(verdict: Verdict | None, family: str) -> ClientView | None:
    """A family's answer to one chain; None when it was not asked."""
    if verdict is None:
        return None
    headline = verdict.headline
    if headline is None:
        return ClientView("no", "accepts this chain")
    shown = client_views(headline.category.value)[family].reports
    return ClientView(headline.refusal.value, shown)


_DEPENDS_ON_HELLO = frozenset({10, 40, 47, 50, 70, 71, 86, 109, 110, 112, 115, 120})
"""Alerts that answer what a ClientHello offers: another client's hello may not get them."""


def _alert_view(number: int, family: str) -> ClientView:
    alert = alerts().get(number, Alert("unassigned", ""))
    name = alert.name
    if family.startswith("ios"):
        code = f", TLS code {alert.apple}" if alert.apple else ""
        shown = f"NSURLErrorDomain -1200{code}"
    else:
        shown = {
            "android-okhttp": f"SSLHandshakeException or SSLProtocolException ({name})",
            "chrome": f"net error {alert.chrome}",
            "firefox": alert.firefox or "an SSL_ERROR code",
            "java-17": f"Received fatal alert: {name}",
            "go": f"remote error: tls: {alert.go or name}",
            "python": f"SSLError: {alert.python or name}",
            "curl-openssl": f"exit 35 ({name})",
        }[family]
    return ClientView("sometimes" if number in _DEPENDS_ON_HELLO else "yes", shown)


def fix_for(category: str, missing: str = "") -> str:
    """What to do about an ending, in plain words; empty where nothing is to be done.

    Args:
        category: `Outcome.name`.
        missing: printable name of the certificate that was not sent; empty: not known.

    Raises:
        ValueError: no such outcome.
    """
    return ending(category).fix.replace("{missing}", missing or _ISSUER)


def known_categories() -> tuple[str, ...]:
    """The names of all endings that the tables know."""
    return tuple(one.value for one in Category if one.value in endings())
