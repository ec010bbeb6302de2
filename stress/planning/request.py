"""What the user requests: one declaration of every option of `run`, as typed and not yet checked.

To add an option, add a field to `Request`. Its `Option` says how it is given, explained and read;
from that come the command line, the keys of load profiles with their JSON Schema, the merging of
both, and the reference pages. Where the value needs no decision, `plan` says where in the `Plan`
it goes, and planning puts it there.

Subtle: every `--help` imports this module, so it must stay cheap. Readers of this room and of
`clients` are imported when they are first used (`later`), which also avoids an import ring.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

from stress.model.client import Stack
from stress.model.plan import Arrivals, Close, Sweep
from stress.planning.option import (
    PROFILE_ONLY,
    Option,
    ValueType,
    choice,
    later,
    path,
    repeated,
    switch,
    timespan,
)
from stress.text import units
from stress.text.datetimes import moment

Read = TypeVar("Read")

LOAD, CONNECTION, TRUST = "Load", "TLS and addresses", "Certificate validation"
STOP, CONSENT, OUTPUT = "Stop conditions", "Authorization", "Output"

_HOW_LONG, _WHICH_ADDRESSES, _CREDENTIALS = "how long", "which addresses", "which certificate"
_ANY_TIME = 2**31
"""A "now" for checking the form of `at`; planning reads it again with the true one."""


class ProxyProtocol(StrEnum):
    """Versions of the PROXY header (haproxy.org, proxy-protocol.txt)."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `run`. None, empty or False: not given. Texts stay as typed."""

    targets: Annotated[
        tuple[str, ...],
        Option(
            "host, host:port, 192.0.2.1:443, [2001:db8::1]:443 or https://host[:port]/. A host"
            " name is resolved, and each of its addresses gets an equal share of the handshakes.",
            LOAD,
            "TARGET",
            value=ValueType.ARGUMENTS,
            profile_key=False,
        ),
    ] = ()
    profile: Annotated[
        str | None,
        Option(
            "Load profile to start from; the other options override it. See `tls-stress profiles`.",
            LOAD,
            "NAME|FILE",
            profile_key=False,
        ),
    ] = None
    count: Annotated[
        int | str | None,
        Option(
            "Open N handshakes in total.",
            LOAD,
            "N",
            short="-n",
            read=units.count,
            together=_HOW_LONG,
        ),
    ] = None
    duration: Annotated[
        str | None,
        timespan(
            "Run for TIME, such as 30s or 10m.",
            LOAD,
            short="-d",
            read=units.duration_s,
            together=_HOW_LONG,
        ),
    ] = None
    concurrency: Annotated[
        int | str | None,
        Option(
            "Keep at most N handshakes in flight. [default: 64]",
            LOAD,
            "N",
            short="-c",
            read=units.positive_count,
        ),
    ] = None
    rate: Annotated[
        str | None,
        Option(
            "Start N handshakes per second across all addresses (open loop), such as 500 or 30/m."
            " Without it, a new handshake starts when one finishes (closed loop).",
            LOAD,
            "N[/s]",
            read=units.rate_per_s,
        ),
    ] = None
    """`none` asks for a closed loop in spite of a profile."""
    processes: Annotated[
        int | str | None,
        Option(
            "Number of worker processes. [default: one per core]",
            LOAD,
            "N",
            read=units.positive_count,
        ),
    ] = None
    detect: Annotated[
        str | None,
        Option(
            "Open enough handshakes to detect a failure rate such as 0.1% with 95% confidence.",
            LOAD,
            "RATE",
            read=later("planning.load", "detection_size"),
            together=_HOW_LONG,
        ),
    ] = None
    find_limit: Annotated[
        str | None,
        Option(
            "Find the highest rate at which these goals hold: 'p99.total<250ms, failing<0.1%'.",
            LOAD,
            "GOAL",
            together=_HOW_LONG,
            plan="find_limit",
        ),
    ] = None
    sweep: Annotated[
        tuple[str, ...],
        repeated(
            "Repeat the search for each client (with --resumption, for full and resumed handshakes"
            " of each), or search for the concurrency instead of the rate; repeatable.",
            LOAD,
            **choice(Sweep),
        ),
    ] = ()
    rate_blocks: Annotated[
        bool,
        switch(
            "Vary --rate at random (25 to 125%, for 400 s or --duration) to tell a configuration"
            " fault from a capacity limit.",
            LOAD,
        ),
    ] = False
    segments: Annotated[
        tuple[str, ...],
        Option(
            'The load in segments, such as `{rate = "50/s", to = "500/s", duration = "2m"}`.',
            PROFILE_ONLY,
            value=ValueType.TABLES,
            read=later("planning.load_shapes", "segment"),
            together=_HOW_LONG,
        ),
    ] = ()
    """As texts such as `200/s to 1000/s for 30s`."""
    arrivals: Annotated[
        str | None,
        Option(
            "How starts are spaced: `poisson`, like independent users, or `constant`."
            " [default: poisson]",
            PROFILE_ONLY,
            plan="load.arrivals",
            **choice(Arrivals),
        ),
    ] = None
    warm_up: Annotated[
        str | None,
        timespan(
            "Leave handshakes due in the first TIME out of latency; they are recorded and marked.",
            PROFILE_ONLY,
            read=units.duration_s,
            plan="load.warm_up_s",
        ),
    ] = None
    hold: Annotated[
        str | None,
        timespan(
            "Hold each connection open for TIME after the handshake, such as 60s, to reach limits"
            " on open connections.",
            LOAD,
            read=units.duration_s,
            plan="load.hold_s",
        ),
    ] = None
    seed: Annotated[int | str | None, Option("Random seed.", LOAD, "N", read=units.count)] = None

    clients: Annotated[
        tuple[str, ...],
        repeated(
            "Client profile whose ClientHello to send; repeat it to mix several."
            " [default: generic]",
            CONNECTION,
            "NAME[=WEIGHT]",
            name="client",
            read=later("clients.profiles", "name_and_weight"),
        ),
    ] = ()
    sni: Annotated[
        str | None,
        Option(
            "Server name to send and to validate; none sends no SNI. [default: the host]",
            CONNECTION,
            "NAME|none",
            read=later("planning.connection_options", "server_name"),
        ),
    ] = None
    stack: Annotated[
        str | None, Option("TLS library. [default: boringssl]", CONNECTION, **choice(Stack))
    ] = None
    resumption: Annotated[
        str | None,
        Option(
            "Fraction of handshakes that offer an earlier session, such as 70%. [default: 0%]",
            CONNECTION,
            "FRACTION",
            read=units.share,
        ),
    ] = None
    addresses_inline: Annotated[
        tuple[str, ...],
        repeated(
            "Connect to this address instead of resolving the host; repeatable.",
            CONNECTION,
            "IP[:PORT][=LABEL]",
            name="address",
            read=later("planning.addresses", "parse_address"),
            together=_WHICH_ADDRESSES,
        ),
    ] = ()
    addresses_file: Annotated[
        str | None,
        path(
            "Read addresses from FILE, one `ip[:port] [label]` per line; - is stdin.",
            CONNECTION,
            "FILE|-",
            name="addresses",
            together=_WHICH_ADDRESSES,
        ),
    ] = None
    sources: Annotated[
        tuple[str, ...],
        repeated(
            "Local address to connect from; repeatable.",
            CONNECTION,
            "IP",
            name="source",
            read=later("planning.connection_options", "own_address"),
        ),
    ] = ()
    resolver: Annotated[
        str | None,
        Option(
            "DNS server to query instead of the system resolver.",
            CONNECTION,
            "IP[:PORT]",
            read=later("planning.resolution", "parse_resolver"),
        ),
    ] = None
    proxy_protocol: Annotated[
        str | None,
        Option(
            "Send a PROXY protocol header before the ClientHello.",
            CONNECTION,
            plan="proxy_protocol",
            **choice(ProxyProtocol),
        ),
    ] = None
    cert: Annotated[
        str | None,
        path("Client certificate chain for mutual TLS, as PEM.", CONNECTION, together=_CREDENTIALS),
    ] = None
    key: Annotated[
        str | None,
        path(
            "Private key of --cert, as PEM. [default: in the same file]",
            CONNECTION,
            together=_CREDENTIALS,
        ),
    ] = None
    timeout: Annotated[
        str | None,
        timespan(
            "Time limit for each attempt as a whole. [default: 10s]",
            CONNECTION,
            plan="limits.attempt_s",
        ),
    ] = None
    connect_timeout: Annotated[
        str | None,
        timespan(
            "Time limit for the TCP connection. [default: timeout]",
            PROFILE_ONLY,
            plan="limits.connect_s",
        ),
    ] = None
    hello_timeout: Annotated[
        str | None,
        timespan(
            "Time limit from the ClientHello to the first byte of the answer. [default: timeout]",
            PROFILE_ONLY,
            plan="limits.hello_s",
        ),
    ] = None
    handshake_timeout: Annotated[
        str | None,
        timespan(
            "Time limit from the ClientHello to the end of the handshake. [default: timeout]",
            PROFILE_ONLY,
            plan="limits.handshake_s",
        ),
    ] = None
    after_handshake: Annotated[
        str | None,
        timespan(
            "How long to wait for an alert that TLS 1.3 sends only after the handshake; 0 does not"
            " wait. [default: 250ms]",
            PROFILE_ONLY,
            read=units.duration_s,
            plan="limits.after_handshake_s",
        ),
    ] = None
    close: Annotated[
        str | None,
        Option(
            "How to close connections; auto is fin while enough local ports are free, else rst."
            " [default: auto]",
            CONNECTION,
            **choice(Close),
        ),
    ] = None

    evidence_per_signature: Annotated[
        int | str | None,
        Option(
            "Keep all bytes of the first N attempts of each combination of outcome, address, client"
            " and chain, per process; 0 keeps none. [default: 5]",
            PROFILE_ONLY,
            "N",
            read=units.count,
            plan="keeping.per_signature",
        ),
    ] = None
    evidence_bytes: Annotated[
        int | str | None,
        Option(
            "Size limit for the evidence in the run file; 0 keeps none. [default: 50MB]",
            PROFILE_ONLY,
            "SIZE",
            read=units.size_bytes,
            plan="keeping.total_bytes",
        ),
    ] = None

    ca: Annotated[
        str | None,
        path(
            "PEM file of trust anchors to use instead of the system store; treated as a private"
            " CA.",
            TRUST,
        ),
    ] = None
    policy: Annotated[
        str | None,
        Option(
            "Validate all clients by this trust policy; none skips validation."
            " [default: each client's own]",
            TRUST,
            "NAME|none",
            read=later("planning.trust_options", "policy_name"),
        ),
    ] = None
    at: Annotated[
        str | None,
        Option(
            "Validate as of TIME: a date, an RFC 3339 time or +30d. [default: when first seen]",
            TRUST,
            "TIME",
            read=lambda text: moment(text, _ANY_TIME),
        ),
    ] = None
    pins: Annotated[
        tuple[str, ...],
        repeated(
            "Require this public key in the chain; repeatable.",
            TRUST,
            "sha256//BASE64",
            name="pin",
            read=later("planning.trust_options", "read_pins"),
        ),
    ] = ()
    aia: Annotated[
        bool,
        switch(
            "Download a missing issuer over HTTP to verify that nothing else is missing.", TRUST
        ),
    ] = False

    until: Annotated[
        tuple[str, ...],
        repeated(
            "Run until this goal is met or ruled out: 'failing<0.1%', 'failures>=20',"
            " 'relative<20%', 'clean for 10m', …; repeatable.",
            STOP,
            "GOAL",
            plan="goals",
        ),
    ] = ()
    assertions: Annotated[
        tuple[str, ...],
        repeated(
            "Pass or fail the run by this: a goal, 'chains==1', 'causes==0', 'p99.server<50ms', …;"
            " repeatable. Goals and assertions alone then decide the exit code.",
            STOP,
            "EXPR",
            name="assert",
            plan="assertions",
        ),
    ] = ()
    max_duration: Annotated[
        str | None,
        timespan("Stop after TIME even if a goal is still undecided. [default: 15m]", STOP),
    ] = None
    stop_on_refusal: Annotated[
        bool | None,
        switch(
            "Stop when the target starts to refuse every connection; in a search, end only that"
            " step. [default: on for public targets]",
            STOP,
        ),
    ] = None
    interrupted: Annotated[
        str | None,
        Option(
            "Resume an interrupted run with its plan; both parts become one run in a new file.",
            STOP,
            "RUN",
            name="continue",
            profile_key=False,
        ),
    ] = None

    authorized: Annotated[
        bool,
        switch(
            "Confirm that the target is yours, or that its owner agrees to this load. Recorded with"
            " the run.",
            CONSENT,
            name="i-am-authorized",
            profile_key=False,
        ),
    ] = False

    json: Annotated[bool, switch("Print the summary as one JSON document.", OUTPUT)] = False
    html: Annotated[
        str | None,
        path(
            "Also write the report as a self-contained HTML page.", OUTPUT, form="page.PageReport"
        ),
    ] = None
    junit: Annotated[
        str | None,
        path("Also write the result as JUnit XML, for CI.", OUTPUT, form="junit.JunitReport"),
    ] = None
    openmetrics: Annotated[
        str | None,
        path(
            "Also write the metrics in OpenMetrics format, for a textfile collector.",
            OUTPUT,
            form="openmetrics.OpenMetricsReport",
        ),
    ] = None
    markdown: Annotated[
        str | None,
        path(
            "Also write the report as Markdown, for a CI job summary.",
            OUTPUT,
            form="markdown.MarkdownReport",
        ),
    ] = None
    quiet: Annotated[
        bool,
        switch(
            "Print no progress and no report; headline, reasons and errors go to stderr.",
            OUTPUT,
            short="-q",
        ),
    ] = False
    name: Annotated[str | None, Option("Name of the run. [default: HOST-UTC]", OUTPUT, "NAME")] = (
        None
    )
    results: Annotated[
        str | None, path("Directory of the run files. [default: results]", OUTPUT, metavar="DIR")
    ] = None
    metrics: Annotated[
        str | None,
        Option(
            "Serve live Prometheus metrics during the run. [default address: 127.0.0.1]",
            OUTPUT,
            "[ADDR:]PORT",
        ),
    ] = None

    def value(self, field: str, kind: type[Read]) -> Read | None:
        """Return what the text of a field stands for; None: not given.

        Raises:
            UsageError: it cannot be read; the message begins with the option's name.
        """
        found = self._read(field)
        assert found is None or isinstance(found, kind)
        return found

    def values(self, field: str, kind: type[Read]) -> tuple[Read, ...]:
        """Return what the texts of a repeatable option stand for.

        Raises:
            UsageError: one cannot be read; the message begins with the option's name.
        """
        found = self._read(field)
        assert all(isinstance(each, kind) for each in found)
        return tuple(found)

    def given(self) -> frozenset[str]:
        """Return the fields that say something: a seed of 0 does, and so does a plain no."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) != f.default)

    def part(self, name: str) -> dict[str, Any]:
        """Return what goes as it is into a part of the plan: its fields to the values given.

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
        return read if isinstance(given, tuple) else read[0]


@cache
def options() -> Mapping[str, Option]:
    """Return the declared options by field, in the order of `Request`."""
    declared: dict[str, Option] = {each.name: get_args(each.type)[1] for each in fields(Request)}
    return {
        field: replace(option, name=option.name or field.replace("_", "-"))
        for field, option in declared.items()
    }
