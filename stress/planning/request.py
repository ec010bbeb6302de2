"""The request: one declaration of every option of `run`, as typed and not yet checked.

To add an option, add a field to `Request`: its type, its section, its help text, and how it is
given and read (`Option`). From this come the command line, the keys of load profiles with their
JSON Schema, the merging of both, and the reference pages. If the value goes into the `Plan`
unchanged, `plan` names the place, and planning puts it there.

Subtle: every `--help` imports this module, so it must stay cheap. Readers in this room and in
`clients` are imported on first use (`later`), which also avoids an import ring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar

from stress.model.plan import Arrivals, Close, Stack, StartTls, Sweep
from stress.planning.option import Option, Section, ValueType, choice, later
from stress.text import units
from stress.text.units import moment

Read = TypeVar("Read")

LOAD, CONNECTION, TRUST, STOP, CONSENT, OUTPUT, PROFILE_ONLY = Section

_HOW_LONG, _WHICH_ADDRESSES, _CREDENTIALS = "how long", "which addresses", "which certificate"
_NONE = "none"
_ANY_TIME = 2**31
"""A "now" for checking the form of `at`; planning reads it again with the true one."""


class Where(StrEnum):
    """Where something stays that a vantage made."""

    HERE = "here"
    THERE = "there"


class ProxyProtocol(StrEnum):
    """Versions of the PROXY header (haproxy.org, proxy-protocol.txt)."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `run`, as typed. None, empty or False: not given."""

    targets: tuple[str, ...] = LOAD.option(
        "host, host:port, 192.0.2.1:443, [2001:db8::1]:443 or https://host[:port]/. A host name"
        " is resolved, and each of its addresses gets an equal share of the handshakes.",
        "TARGET…",
        value=ValueType.ARGUMENTS,
        profile_key=False,
        default=(),
    )
    profile: str | None = LOAD.option(
        "Load profile to start from; the other options override it. See `tls-stress profiles`.",
        "NAME|FILE",
        profile_key=False,
    )
    count: int | str | None = LOAD.option(
        "Open N handshakes in total.", "N", short="-n", read=units.count, together=_HOW_LONG
    )
    duration: str | None = LOAD.timespan(
        "Run for TIME, such as 30s or 10m.", short="-d", read=units.duration_s, together=_HOW_LONG
    )
    concurrency: int | str | None = LOAD.option(
        "Keep at most N handshakes in flight. [default: 64]",
        "N",
        short="-c",
        read=units.positive_count,
    )
    rate: str | None = LOAD.option(
        "Start N handshakes per second across all addresses (open loop), such as 500 or 30/m."
        " Without it, a new handshake starts when one finishes (closed loop).",
        "N[/s]",
        read=units.rate_per_s,
    )
    """`none` makes a closed loop, whatever the profile says."""
    processes: int | str | None = LOAD.option(
        "Number of worker processes. [default: one per core]", "N", read=units.positive_count
    )
    detect: str | None = LOAD.option(
        "Open enough handshakes to detect a failure rate such as 0.1% with 95% confidence.",
        "RATE",
        read=later("planning.load.detection_size"),
        together=_HOW_LONG,
    )
    find_limit: str | None = LOAD.option(
        "Find the highest rate at which these goals hold: 'p99.total<250ms, failing<0.1%'.",
        "GOAL",
        together=_HOW_LONG,
        plan="find_limit",
    )
    sweep: tuple[str, ...] = LOAD.repeated(
        "Repeat the search for each client (with --resumption, for full and resumed handshakes"
        " of each), or search for the concurrency instead of the rate; repeatable.",
        plan="sweep",
        **choice(Sweep),
    )
    rate_blocks: bool = LOAD.switch(
        "Vary --rate at random (25 to 125%, for 400 s or --duration) to tell a configuration"
        " fault from a capacity limit."
    )
    segments: tuple[str, ...] = PROFILE_ONLY.option(
        'The load in segments, such as `{rate = "50/s", to = "500/s", duration = "2m"}`.',
        value=ValueType.TABLES,
        read=later("planning.load.segment"),
        together=_HOW_LONG,
        default=(),
    )
    """As texts such as `200/s to 1000/s for 30s`."""
    arrivals: str | None = PROFILE_ONLY.option(
        "How starts are spaced: `poisson`, like independent users, or `constant`."
        " [default: poisson; constant in a search for the limit]",
        plan="load.arrivals",
        **choice(Arrivals),
    )
    warm_up: str | None = PROFILE_ONLY.timespan(
        "Leave handshakes due in the first TIME out of latency; they are recorded and marked.",
        read=units.duration_s,
        plan="load.warm_up_s",
    )
    hold: str | None = LOAD.timespan(
        "Hold each connection open for TIME after the handshake, such as 60s, to reach limits"
        " on open connections.",
        read=units.duration_s,
        plan="load.hold_s",
    )
    seed: int | str | None = LOAD.option("Random seed.", "N", read=units.count)

    clients: tuple[str, ...] = CONNECTION.repeated(
        "Client profile whose ClientHello to send; repeat it to mix several. [default: generic]",
        "NAME[=WEIGHT]",
        name="client",
        read=later("clients.profiles.name_and_weight"),
    )
    sni: str | None = CONNECTION.option(
        "Server name to send and to validate; none sends no SNI. [default: the host]",
        "NAME|none",
        read=later("planning.connection_options.server_name"),
    )
    stack: str | None = CONNECTION.option(
        "TLS library of all clients. [default: for each client the first that can send it]",
        plan="stack",
        **choice(Stack),
    )
    resumption: str | None = CONNECTION.option(
        "Fraction of handshakes that offer an earlier session, such as 70%. [default: 0%]",
        "FRACTION",
        read=units.share,
    )
    addresses_inline: tuple[str, ...] = CONNECTION.repeated(
        "Connect to this address instead of resolving the host; repeatable.",
        "IP[:PORT][=LABEL]",
        name="address",
        read=later("planning.addresses.parse_address"),
        together=_WHICH_ADDRESSES,
    )
    addresses_file: str | None = CONNECTION.path(
        "Read addresses from FILE, one `ip[:port] [label]` per line; - is stdin.",
        "FILE|-",
        name="addresses",
        together=_WHICH_ADDRESSES,
    )
    identify: str | None = CONNECTION.option(
        "Send one HEAD request after each handshake; this response header names the server behind"
        " the address. h2 is not offered then.",
        "header:NAME",
        read=later("planning.connection_options.header_name"),
        plan="identify",
    )
    sources: tuple[str, ...] = CONNECTION.repeated(
        "Local address to connect from; repeatable.",
        "IP",
        name="source",
        read=later("planning.connection_options.own_address"),
        plan="sources",
    )
    vantages: tuple[str, ...] = CONNECTION.repeated(
        "Make the run from this place, too, such as a host by ssh; repeatable. Count, rate and"
        " concurrency are the totals of all. Needs the extra tls-stress[many] (tls-stress[dask]).",
        "NAME=ssh://[USER@]HOST[:PORT]|exec:COMMAND|dask://HOST[:PORT][?workers=N]|local",
        name="vantage",
        read=later("planning.vantages.read_vantage"),
    )
    deploy: bool = CONNECTION.switch(
        "Install this release for the user of a --vantage that lacks it, into a folder of its own.",
        profile_key=False,
    )
    weights: tuple[str, ...] = CONNECTION.repeated(
        "Give this --vantage so many times the load of one without a weight; repeatable. [default:"
        " equal shares, as far as each machine can carry its own]",
        "NAME=N",
        name="weight",
        read=later("planning.vantages.read_weight"),
    )
    rows: str | None = CONNECTION.option(
        "Whether the row of each good handshake comes home from a --vantage, or stays there: then"
        " little comes home, and the report says the same. [default: here]",
        **choice(Where),
    )
    secrets: str | None = CONNECTION.option(
        "Whether the TLS secrets of evidence come home from a --vantage with it, or stay there, in"
        " a key log. [default: there]",
        **choice(Where),
    )
    resolver: str | None = CONNECTION.option(
        "DNS server to query instead of the system resolver.",
        "IP[:PORT]",
        read=later("planning.addresses.parse_resolver"),
    )
    proxy_protocol: str | None = CONNECTION.option(
        "Send a PROXY protocol header before the ClientHello.",
        plan="proxy_protocol",
        **choice(ProxyProtocol),
    )
    proxy: str | None = CONNECTION.option(
        "Connect through this proxy: by CONNECT, or SOCKS 5. It resolves the host, unless --address"
        " gives addresses.",
        "http|socks5://HOST:PORT",
        read=later("planning.connection_options.read_proxy"),
    )
    proxy_authorization: str | None = CONNECTION.path(
        "File with NAME:PASSWORD for --proxy, or with the value of its Proxy-Authorization header."
        " [default: the variable TLS_STRESS_PROXY_AUTHORIZATION]"
    )
    starttls: str | None = CONNECTION.option(
        "Ask for TLS in this protocol first (STARTTLS); none starts with the ClientHello. [default:"
        " by the target's well-known port, such as smtp for 25]",
        "|".join([*StartTls, _NONE]),
        read=later("planning.connection_options.starttls"),
    )
    cert: str | None = CONNECTION.path(
        "Client certificate chain for mutual TLS, as PEM.", together=_CREDENTIALS
    )
    key: str | None = CONNECTION.path(
        "Private key of --cert, as PEM. [default: in the same file]", together=_CREDENTIALS
    )
    timeout: str | None = CONNECTION.timespan(
        "Time limit for each attempt as a whole. [default: 10s]", plan="limits.attempt_s"
    )
    connect_timeout: str | None = PROFILE_ONLY.timespan(
        "Time limit for the TCP connection. [default: timeout]", plan="limits.connect_s"
    )
    hello_timeout: str | None = PROFILE_ONLY.timespan(
        "Time limit from the ClientHello to the first byte of the answer. [default: timeout]",
        plan="limits.hello_s",
    )
    handshake_timeout: str | None = PROFILE_ONLY.timespan(
        "Time limit from the ClientHello to the end of the handshake. [default: timeout]",
        plan="limits.handshake_s",
    )
    after_handshake: str | None = PROFILE_ONLY.timespan(
        "How long to wait for an alert that TLS 1.3 sends only after the handshake; 0 does not"
        " wait. [default: 250ms]",
        read=units.duration_s,
        plan="limits.after_handshake_s",
    )
    ticket_names: bool | None = CONNECTION.switch(
        "Read the session ticket of each connection, to tell servers behind one address apart by"
        " the keys that sealed them. [default: of one in 16, and where the chain is rare]",
        default=None,
        plan="ticket_names",
    )
    backends: bool = CONNECTION.switch(
        "After the run, offer TLS sessions to at most 480 more connections, one at a time: servers"
        " that accept each other's are one group. Finds servers that give no other name.",
        plan="backends",
    )
    close: str | None = CONNECTION.option(
        "How to close connections; auto is fin while enough local ports are free, else rst."
        " [default: auto]",
        plan="close",
        **choice(Close),
    )

    evidence_per_signature: int | str | None = PROFILE_ONLY.option(
        "Keep all bytes of the first N attempts of each combination of outcome, address, client"
        " and chain, per process; 0 keeps none. [default: 5]",
        "N",
        read=units.count,
        plan="keeping.per_signature",
    )
    evidence_bytes: int | str | None = PROFILE_ONLY.option(
        "Size limit for the evidence in the run file; 0 keeps none. [default: 50MB]",
        "SIZE",
        read=units.size_bytes,
        plan="keeping.total_bytes",
    )

    ca: str | None = TRUST.path(
        "PEM file of trust anchors to use instead of the system store; treated as a private CA."
    )
    stores: str | None = TRUST.path(
        "Root stores of the client families to use instead of those shipped and this machine's,"
        " as written by scripts/root_stores.py."
    )
    policy: str | None = TRUST.option(
        "Validate all clients by this trust policy; none skips validation. [default: each"
        " client's own]",
        "NAME|none",
        read=later("planning.trust_options.policy_name"),
        plan="trust.policy",
    )
    at: str | None = TRUST.option(
        "Validate as of TIME: a date, an RFC 3339 time or +30d. [default: when first seen]",
        "TIME",
        read=lambda text: moment(text, _ANY_TIME),
    )
    pins: tuple[str, ...] = TRUST.repeated(
        "Require this public key in the chain; repeatable.",
        "sha256//BASE64",
        name="pin",
        read=later("planning.trust_options.read_pins"),
    )
    aia: bool = TRUST.switch(
        "Download a missing issuer over HTTP to verify that nothing else is missing.",
        plan="trust.aia",
    )

    until: tuple[str, ...] = STOP.repeated(
        "Run until this goal is met or ruled out: 'failing<0.1%', 'failing<0.1% for 10m',"
        " 'failures>=20', 'relative<20%', 'clean for 10m', …; repeatable.",
        "GOAL",
        plan="goals",
    )
    assertions: tuple[str, ...] = STOP.repeated(
        "Pass or fail the run by this: a goal, 'chains==1', 'causes==0', 'p99.server<50ms', …;"
        " repeatable. Goals and assertions alone then decide the exit code.",
        "EXPR",
        name="assert",
        plan="assertions",
    )
    max_duration: str | None = STOP.timespan(
        "Stop after TIME even if a goal is still undecided. [default: 15m]"
    )
    stop_on_refusal: bool | None = STOP.switch(
        "Stop when the target starts to refuse every connection; in a search, end only that"
        " step. [default: on for public targets]",
        default=None,
    )
    drain: str | None = STOP.timespan(
        "On Ctrl-C or SIGTERM, wait at most TIME for handshakes in flight. [default: 3s]",
        read=units.duration_s,
        plan="limits.drain_s",
    )
    interrupted: str | None = STOP.option(
        "Resume an interrupted run with its plan; both parts become one run in a new file.",
        "RUN",
        name="continue",
        profile_key=False,
    )

    authorized: bool = CONSENT.switch(
        "Confirm that the target is yours, or that its owner agrees to this load. Recorded with"
        " the run.",
        name="i-am-authorized",
        profile_key=False,
    )

    json: bool = OUTPUT.switch("Print the summary as one JSON document.")
    html: str | None = OUTPUT.path(
        "Also write the report as a self-contained HTML page.",
        "FILE|-",
        form="page.page.PageReport",
    )
    junit: str | None = OUTPUT.path(
        "Also write the result as JUnit XML, for CI.", "FILE|-", form="junit.JunitReport"
    )
    openmetrics: str | None = OUTPUT.path(
        "Also write the metrics in OpenMetrics format, for a textfile collector.",
        "FILE|-",
        form="openmetrics.OpenMetricsReport",
    )
    markdown: str | None = OUTPUT.path(
        "Also write the report as Markdown, for a CI job summary.",
        "FILE|-",
        form="markdown.MarkdownReport",
    )
    quiet: bool = OUTPUT.switch(
        "Print no progress and no report; headline, reasons and errors go to stderr.", short="-q"
    )
    name: str | None = OUTPUT.option(
        "Name of the run. [default: the host, file or run, and the time]", "NAME"
    )
    results: str | None = OUTPUT.path(
        "Directory of the run files. [default: results]", metavar="DIR"
    )
    metrics: str | None = OUTPUT.option(
        "Serve live Prometheus metrics during the run. [default address: 127.0.0.1]", "[ADDR:]PORT"
    )

    def value(self, field: str, kind: type[Read]) -> Read | None:
        """Return the value of a field, read from its text; None: not given.

        Raises:
            UsageError: it cannot be read; the message begins with the option's name.
        """
        found = self._read(field)
        assert found is None or isinstance(found, kind)
        return found

    def values(self, field: str, kind: type[Read]) -> tuple[Read, ...]:
        """Return the values of a repeatable option, read from their texts.

        Raises:
            UsageError: one cannot be read; the message begins with the option's name.
        """
        found = self._read(field)
        assert all(isinstance(each, kind) for each in found)
        return tuple(found)

    def given(self) -> frozenset[str]:
        """Return the fields that are set; a seed of 0 and a plain no count."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) != f.default)

    def part(self, name: str) -> dict[str, Any]:
        """Return what goes unchanged into a part of the plan: its fields to the given values.

        Args:
            name: of the part, such as `load`; empty: the `Plan` itself.

        Raises:
            UsageError: a value cannot be read.
        """
        placed: dict[str, Any] = {}
        for field in self.given():
            place, _, target = options()[field].plan.rpartition(".")
            if target and place == name:
                placed[target] = self._read(field)
        return placed

    def _read(self, field: str) -> Any:
        option, given = options()[field], getattr(self, field)
        if given is None or isinstance(given, bool):
            return given
        texts = given if isinstance(given, tuple) else (units.written(given),)
        read = tuple(units.named(option.shown, option.read, text) for text in texts)
        if option.value is ValueType.LIST:
            return tuple(dict.fromkeys(read))
        return read if isinstance(given, tuple) else read[0]


@cache
def options() -> Mapping[str, Option]:
    """Return the declared options by field, in the order of `Request`."""
    declared: dict[str, Option] = {
        field.name: field.metadata["option"] for field in fields(Request)
    }
    return {
        field: replace(option, name=option.name or field.replace("_", "-"))
        for field, option in declared.items()
    }


FORMS: Final = {field: option.form for field, option in options().items() if option.form}
"""Forms of the report that a file can have: their classes below `stress.report`, by field."""
