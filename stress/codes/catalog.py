"""The tables of codes: what each outcome means, how to fix it, and what each client would show.

The tables are data (`tables/*.toml`, sources at the top of each file); this module only reads them.
Nothing here looks at a certificate.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from stress.model.chain import Verdict
from stress.model.outcome import Category, ClientView, Kind, Outcome


class OutcomeEntry(msgspec.Struct, frozen=True):
    """What one category means and how to fix it."""

    phrase: str
    """What failing handshakes did, as a plural predicate; `{number}` is the alert's."""
    meaning: str
    fix: str = ""
    """`{missing}` stands for the certificate that was not sent. Empty: nothing to fix."""
    own_codes: bool = False
    """Clients do not report it with their general "certificate rejected" codes."""
    clients: Mapping[str, tuple[str, str]] = {}
    """Family -> does it fail, and what it shows; `{says}` stands for what was recorded."""


class Code(msgspec.Struct, frozen=True):
    """One code of one client family."""

    name: str
    says: str = ""
    leaves_open: str = ""
    """What the code does not say, although people tend to read it that way."""
    categories: tuple[str, ...] = ()
    general: bool = False
    """It says that something failed, not what: whatever says more decides."""


class CodeTable(msgspec.Struct, frozen=True):
    """The codes of one family."""

    title: str
    source: str
    codes: Mapping[str, Code]


class Alert(msgspec.Struct, frozen=True):
    """A TLS alert, and what clients report when they receive it."""

    name: str
    says: str
    apple: str = ""
    chrome: str = "-107"
    firefox: str = ""
    python: str = ""
    go: str = ""
    depends_on_hello: bool = False
    """It answers what a ClientHello offers: another client's hello may not trigger it."""
    depends_on_name: bool = False
    """It answers the server's name in the ClientHello, which all families send."""
    categories: tuple[str, ...] = ()
    """Outcomes that it can stand for, besides the alert itself."""
    from_client: str = ""
    """What it says when a client sent it."""
    from_client_categories: tuple[str, ...] = ()
    """Outcomes that make a client send it."""


class Phrase(msgspec.Struct, frozen=True):
    """A sentence in which a client reports a failure."""

    text: str
    family: str
    says: str
    categories: tuple[str, ...] = ()
    leaves_open: str = ""
    general: bool = False
    """It says that something failed, not what: whatever says more decides."""
    decides: bool = False
    """It has no outcome, and rules out those that vaguer texts beside it would have."""
    also: tuple[str, ...] = ()
    """Other wordings of the same sentence."""


class LogWriter(msgspec.Struct, frozen=True):
    """Who wrote a line of a log, and by what it is known."""

    parts: tuple[str, ...]
    """Lower-case texts that the line has, all of them."""
    name: str
    sender: str = ""
    """Who sent the alerts that the line reports: `client`, `server`, `either`; empty: not said."""
    hop: bool = False
    """It is about a connection behind the writer, so what the writer's own clients see differs."""


class MeasuredRow(msgspec.Struct, frozen=True):
    """What real clients said to one fault."""

    fault: str
    says: Mapping[str, str]
    """By client; `ok` where it accepts."""
    category: str = ""
    when: tuple[str, ...] = ()
    """What must be known of the chain."""


class Measured(msgspec.Struct, frozen=True):
    """The messages of real clients, as recorded."""

    versions: Mapping[str, str]
    rows: tuple[MeasuredRow, ...]
    double: tuple[MeasuredRow, ...]
    """Two faults at once; no category."""


class Hosts(msgspec.Struct, frozen=True):
    """How logs name the host that a connection was for."""

    patterns: tuple[str, ...]
    """Regular expressions, the surest first; `HOST` stands for a name or address with its port."""
    manuals: tuple[str, ...]
    """Hosts of manuals that error messages point to."""


_ACCEPTED = "ok"
_SAYS = "{says}"
"""In `outcomes.toml`: what was recorded."""
_FIELD = re.compile(r"\{([a-z]+)\}")
"""A placeholder in a recorded message."""


def _table(name: str) -> dict[str, Any]:
    text = (files("stress.codes") / "tables" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


POLICY_OF: Mapping[str, str] = _table("families")
"""The trust policy of each client family."""
FAMILIES = tuple(POLICY_OF)
"""Client families that have views, in the order of reports."""


@cache
def outcome_entries() -> Mapping[str, OutcomeEntry]:
    """The entries by category name, in the order of the file; all alerts share `alert`."""
    return msgspec.convert(_table("outcomes"), dict[str, OutcomeEntry])


@cache
def alerts() -> Mapping[int, Alert]:
    """The alerts by number."""
    return {int(number): msgspec.convert(one, Alert) for number, one in _table("alerts").items()}


def alert_name(number: int) -> str:
    """IANA name of an alert such as `handshake_failure`, or `unassigned`."""
    known = alerts().get(number)
    return known.name if known else "unassigned"


def alert_number(name: str) -> int | None:
    """Number of an alert by its IANA name, None if there is no such name."""
    return next((number for number, one in alerts().items() if one.name == name), None)


@cache
def code_tables() -> Mapping[str, CodeTable]:
    """The tables of numbers and names, by family."""
    return msgspec.convert(_table("codes"), dict[str, CodeTable])


@cache
def phrases() -> tuple[Phrase, ...]:
    """The sentences in each of their wordings, longest first; `also` is the one in the table."""
    found = msgspec.convert(_table("phrases")["phrases"], tuple[Phrase, ...])
    every = [
        msgspec.structs.replace(one, text=text, also=(one.text,))
        for one in found
        for text in (one.text, *one.also)
    ]
    return tuple(sorted(every, key=lambda one: -len(one.text)))


@cache
def log_writers() -> tuple[LogWriter, ...]:
    """Who writes lines of logs; the first that fits counts."""
    return msgspec.convert(_table("writers")["writers"], tuple[LogWriter, ...])


@cache
def hosts() -> Hosts:
    """How logs name the host that a connection was for."""
    return msgspec.convert(_table("writers")["hosts"], Hosts)


@cache
def telltales() -> tuple[str, ...]:
    """Texts in lower case: every message of every table has one of them."""
    messages = [phrase.text for phrase in phrases()]
    messages += [one.name for table in code_tables().values() for one in table.codes.values()]
    messages += [one.firefox for one in alerts().values() if one.firefox]
    found: list[str] = _table("writers")["telltales"]
    for message in sorted(map(str.casefold, messages), key=len):
        if not any(telltale in message for telltale in found):
            found.append(message)
    return tuple(found)


@cache
def measured() -> Measured:
    """What was recorded from real clients."""
    return msgspec.convert(_table("measured"), Measured)


def message(client: str, category: str, known: Mapping[str, str] | None = None) -> str | None:
    """What a client prints; None: it was not measured, or accepted what was.

    Args:
        client: a name in `measured.toml`.
        category: a trust outcome.
        known: of the chain (`stress.trust.known_of`); None: only the category.
    """
    values = known or {}
    rows = [
        row
        for row in measured().rows
        if row.category == category and values.keys() >= set(row.when)
        if row.says.get(client, _ACCEPTED) != _ACCEPTED
    ]
    if not rows:
        return None
    words = max(rows, key=lambda row: len(row.when)).says[client]
    return _FIELD.sub(lambda field: values.get(field[1], "") or "…", words)


@cache
def conclusions() -> Mapping[str, str]:
    """What a text says, by the kinds of outcome that fit it."""
    return _table("conclusions")


def expand_groups(categories: Iterable[str]) -> tuple[str, ...]:
    """The categories, each once, with `@trust` replaced by all that general codes can mean."""
    found: dict[str, None] = {}
    for one in categories:
        if one != "@trust":
            found[one] = None
            continue
        for name, entry in outcome_entries().items():
            if Category(name).kind is Kind.TRUST and not entry.own_codes:
                found[name] = None
    return tuple(found)


def outcome_entry(outcome: str) -> OutcomeEntry:
    """The entry of an outcome.

    Raises:
        ValueError: there is no such outcome.
    """
    return outcome_entries()[Outcome.parse(outcome).category.value]


def client_views(
    outcome: str, known: Mapping[str, str] | None = None, *, named: bool = True
) -> Mapping[str, ClientView]:
    """What each family would do and show on this outcome; empty unless the target failed.

    Args:
        outcome: `Outcome.name`, such as `expired-leaf`, `reset` or `alert-40`.
        known: of the chain, as for `message`.
        named: the ClientHello named the server, as those of all families do.

    Raises:
        ValueError: there is no such outcome.
    """
    shown = outcome_entry(outcome).clients
    said = {family: message(family, outcome, known) for family in FAMILIES}
    views = {}
    for family, words in said.items():
        fails, reports = shown.get(family, ("yes", ""))
        if words is not None and _SAYS not in reports:
            fails, reports = "yes", _SAYS
        if reports:
            views[family] = ClientView(fails, reports.replace(_SAYS, words or ""))
    number = Outcome.parse(outcome).alert
    if number is None:
        return views
    alert = alerts().get(number, Alert("unassigned", ""))
    other_hello = alert.depends_on_hello or (alert.depends_on_name and not named)
    fails = "sometimes" if other_hello else "yes"
    spelled = {
        "name": alert.name,
        "apple": f", TLS code {alert.apple}" if alert.apple else "",
        "chrome": alert.chrome,
        "firefox": alert.firefox or "an SSL_ERROR code",
        "go": alert.go or alert.name,
        "python": alert.python or alert.name,
    }
    return {
        family: ClientView(fails, view.reports.format(**spelled)) for family, view in views.items()
    }


def chain_views(
    outcome: str,
    verdicts: Mapping[str, Verdict],
    known: Callable[[Verdict], Mapping[str, str]] = lambda _: {},
) -> Mapping[str, ClientView]:
    """What each family would do and show, given the very chain that led to this outcome.

    Args:
        outcome: a trust outcome, `Outcome.name`.
        verdicts: for that chain, by policy. Families without one get the view of `client_views`;
            so do all of them if no policy rejects the chain, because then the chain alone was not
            the cause (a staple, for example).
        known: what a verdict and its chain say that messages depend on (`known_of`).

    Raises:
        ValueError: there is no such outcome.
    """
    views = dict(client_views(outcome))
    if all(verdicts[one].headline is None for one in POLICY_OF.values() if one in verdicts):
        return views
    for family in views:
        verdict = verdicts.get(POLICY_OF[family])
        if verdict is None:
            continue
        if verdict.headline is None:
            views[family] = ClientView("no", "accepts this chain")
        else:
            shown = client_views(verdict.headline.category.value, known(verdict))[family].reports
            views[family] = ClientView(verdict.headline.refusal.value, shown)
    return views


def phrase_for(outcome: str) -> str:
    """What handshakes with an outcome did, to follow their number: `received a bad OCSP staple`.

    Raises:
        ValueError: there is no such outcome.
    """
    number = Outcome.parse(outcome).alert
    shown = "" if number is None else f"{number} ({alert_name(number)})"
    return outcome_entry(outcome).phrase.replace("{number}", shown)


def fix_for(outcome: str, missing: str = "") -> str:
    """What to do about an outcome, in plain words; empty where there is nothing to do.

    Args:
        outcome: `Outcome.name`.
        missing: printable name of the certificate that was not sent; empty: not known.

    Raises:
        ValueError: there is no such outcome.
    """
    return outcome_entry(outcome).fix.replace(
        "{missing}", missing or "the intermediate certificate"
    )
