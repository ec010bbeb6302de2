"""The request: one declaration of every option of `run`, as typed and not yet checked.

To add an option, add a field to `Request`: its type, its help text, and an `Option` that says how
it is given and read. From this come the command line, the keys of load profiles with their JSON
Schema, the merging of both, and the reference pages. If the value goes into the `Plan` unchanged,
`plan` names the place, and planning puts it there.

Subtle: every `--help` imports this module, so it must stay cheap. Readers in this room and in
`clients` are imported on first use (`later`), which also avoids an import ring. Annotations are
evaluated (no `from __future__`), because `options` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

from stress.model.plan import Arrivals, Close, Stack, Sweep
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
STOP, CONSENT, OUTPUT = "Goals and stop conditions", "Authorization", "Output"

_HOW_LONG, _WHICH_ADDRESSES, _CREDENTIALS = "how long", "which addresses", "which certificate"
_ANY_TIME = 2**31
"""A "now" for checking the form of `at`; planning reads it again with the true one."""


class ProxyProtocol(StrEnum):
    """Versions of the PROXY header (haproxy.org, proxy-protocol.txt)."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `run`, as typed. None, empty or False: not given."""

    targets: Annotated[
        tuple[str, ...],
        "host, host:port, 192.0.2.1:443, [2001:db8::1]:443 or https://host[:port]/. A host name"
        " is resolved, and each of its addresses gets an equal share of the handshakes.",
        Option(LOAD, "TARGET", value=ValueType.ARGUMENTS, profile_key=False),
    ] = ()
    profile: Annotated[
        str | None,
        "Load profile to start from; the other options override it. See `tls-stress profiles`.",
        Option(LOAD, "NAME|FILE", profile_key=False),
    ] = None
    count: Annotated[
        int | str | None,
        "Open N handshakes in total.",
        Option(LOAD, "N", short="-n", read=units.count, together=_HOW_LONG),
    ] = None
    duration: Annotated[
        str | None,
        "Run for TIME, such as 30s or 10m.",
        timespan(LOAD, short="-d", read=units.duration_s, together=_HOW_LONG),
    ] = None
    concurrency: Annotated[
        int | str | None,
        "Keep at most N handshakes in flight. [default: 64]",
        Option(LOAD, "N", short="-c", read=units.positive_count),
    ] = None
    rate: Annotated[
        str | None,
        "Start N handshakes per second across all addresses (open loop), such as 500 or 30/m."
        " Without it, a new handshake starts when one finishes (closed loop).",
        Option(LOAD, "N[/s]", read=units.rate_per_s),
    ] = None
    """`none` makes a closed loop, whatever the profile says."""
    processes: Annotated[
        int | str | None,
        "Number of worker processes. [default: one per core]",
        Option(LOAD, "N", read=units.positive_count),
    ] = None
    detect: Annotated[
        str | None,
        "Open enough handshakes to detect a failure rate such as 0.1% with 95% confidence.",
        Option(LOAD, "RATE", read=later("planning.load", "detection_size"), together=_HOW_LONG),
    ] = None
    find_limit: Annotated[
        str | None,
        "Find the highest rate at which these goals hold: 'p99.total<250ms, failing<0.1%'.",
        Option(LOAD, "GOAL", together=_HOW_LONG, plan="find_limit"),
    ] = None
    sweep: Annotated[
        tuple[str, ...],
        "Repeat the search for each client (with --resumption, for full and resumed handshakes"
        " of each), or search for the concurrency instead of the rate; repeatable.",
        repeated(LOAD, **choice(Sweep)),
    ] = ()
    rate_blocks: Annotated[
        bool,
        "Vary --rate at random (25 to 125%, for 400 s or --duration) to tell a configuration"
        " fault from a capacity limit.",
        switch(LOAD),
    ] = False
    segments: Annotated[
        tuple[str, ...],
        'The load in segments, such as `{rate = "50/s", to = "500/s", duration = "2m"}`.',
        Option(
            PROFILE_ONLY,
            value=ValueType.TABLES,
            read=later("planning.load", "segment"),
            together=_HOW_LONG,
        ),
    ] = ()
    """As texts such as `200/s to 1000/s for 30s`."""
    arrivals: Annotated[
        str | None,
        "How starts are spaced: `poisson`, like independent users, or `constant`."
        " [default: poisson]",
        Option(PROFILE_ONLY, plan="load.arrivals", **choice(Arrivals)),
    ] = None
    warm_up: Annotated[
        str | None,
        "Leave handshakes due in the first TIME out of latency; they are recorded and marked.",
        timespan(PROFILE_ONLY, read=units.duration_s, plan="load.warm_up_s"),
    ] = None
    hold: Annotated[
        str | None,
        "Hold each connection open for TIME after the handshake, such as 60s, to reach limits"
        " on open connections.",
        timespan(LOAD, read=units.duration_s, plan="load.hold_s"),
    ] = None
    seed: Annotated[
        int | str | None,
        "Random seed.",
        Option(LOAD, "N", read=units.count),
    ] = None

    clients: Annotated[
        tuple[str, ...],
        "Client profile whose ClientHello to send; repeat it to mix several. [default: generic]",
        repeated(
            CONNECTION,
            "NAME[=WEIGHT]",
            name="client",
            read=later("clients.profiles", "name_and_weight"),
        ),
    ] = ()
    sni: Annotated[
        str | None,
        "Server name to send and to validate; none sends no SNI. [default: the host]",
        Option(CONNECTION, "NAME|none", read=later("planning.connection_options", "server_name")),
    ] = None
    stack: Annotated[
        str | None,
        "TLS library. [default: boringssl]",
        Option(CONNECTION, **choice(Stack)),
    ] = None
    resumption: Annotated[
        str | None,
        "Fraction of handshakes that offer an earlier session, such as 70%. [default: 0%]",
        Option(CONNECTION, "FRACTION", read=units.share),
    ] = None
    addresses_inline: Annotated[
        tuple[str, ...],
        "Connect to this address instead of resolving the host; repeatable.",
        repeated(
            CONNECTION,
            "IP[:PORT][=LABEL]",
            name="address",
            read=later("planning.addresses", "parse_address"),
            together=_WHICH_ADDRESSES,
        ),
    ] = ()
    addresses_file: Annotated[
        str | None,
        "Read addresses from FILE, one `ip[:port] [label]` per line; - is stdin.",
        path(CONNECTION, "FILE|-", name="addresses", together=_WHICH_ADDRESSES),
    ] = None
    sources: Annotated[
        tuple[str, ...],
        "Local address to connect from; repeatable.",
        repeated(
            CONNECTION,
            "IP",
            name="source",
            read=later("planning.connection_options", "own_address"),
        ),
    ] = ()
    resolver: Annotated[
        str | None,
        "DNS server to query instead of the system resolver.",
        Option(CONNECTION, "IP[:PORT]", read=later("planning.addresses", "parse_resolver")),
    ] = None
    proxy_protocol: Annotated[
        str | None,
        "Send a PROXY protocol header before the ClientHello.",
        Option(CONNECTION, plan="proxy_protocol", **choice(ProxyProtocol)),
    ] = None
    cert: Annotated[
        str | None,
        "Client certificate chain for mutual TLS, as PEM.",
        path(CONNECTION, together=_CREDENTIALS),
    ] = None
    key: Annotated[
        str | None,
        "Private key of --cert, as PEM. [default: in the same file]",
        path(CONNECTION, together=_CREDENTIALS),
    ] = None
    timeout: Annotated[
        str | None,
        "Time limit for each attempt as a whole. [default: 10s]",
        timespan(CONNECTION, plan="limits.attempt_s"),
    ] = None
    connect_timeout: Annotated[
        str | None,
        "Time limit for the TCP connection. [default: timeout]",
        timespan(PROFILE_ONLY, plan="limits.connect_s"),
    ] = None
    hello_timeout: Annotated[
        str | None,
        "Time limit from the ClientHello to the first byte of the answer. [default: timeout]",
        timespan(PROFILE_ONLY, plan="limits.hello_s"),
    ] = None
    handshake_timeout: Annotated[
        str | None,
        "Time limit from the ClientHello to the end of the handshake. [default: timeout]",
        timespan(PROFILE_ONLY, plan="limits.handshake_s"),
    ] = None
    after_handshake: Annotated[
        str | None,
        "How long to wait for an alert that TLS 1.3 sends only after the handshake; 0 does not"
        " wait. [default: 250ms]",
        timespan(PROFILE_ONLY, read=units.duration_s, plan="limits.after_handshake_s"),
    ] = None
    close: Annotated[
        str | None,
        "How to close connections; auto is fin while enough local ports are free, else rst."
        " [default: auto]",
        Option(CONNECTION, **choice(Close)),
    ] = None

    evidence_per_signature: Annotated[
        int | str | None,
        "Keep all bytes of the first N attempts of each combination of outcome, address, client"
        " and chain, per process; 0 keeps none. [default: 5]",
        Option(PROFILE_ONLY, "N", read=units.count, plan="keeping.per_signature"),
    ] = None
    evidence_bytes: Annotated[
        int | str | None,
        "Size limit for the evidence in the run file; 0 keeps none. [default: 50MB]",
        Option(PROFILE_ONLY, "SIZE", read=units.size_bytes, plan="keeping.total_bytes"),
    ] = None

    ca: Annotated[
        str | None,
        "PEM file of trust anchors to use instead of the system store; treated as a private CA.",
        path(TRUST),
    ] = None
    policy: Annotated[
        str | None,
        "Validate all clients by this trust policy; none skips validation. [default: each"
        " client's own]",
        Option(TRUST, "NAME|none", read=later("planning.trust_options", "policy_name")),
    ] = None
    at: Annotated[
        str | None,
        "Validate as of TIME: a date, an RFC 3339 time or +30d. [default: when first seen]",
        Option(TRUST, "TIME", read=lambda text: moment(text, _ANY_TIME)),
    ] = None
    pins: Annotated[
        tuple[str, ...],
        "Require this public key in the chain; repeatable.",
        repeated(
            TRUST, "sha256//BASE64", name="pin", read=later("planning.trust_options", "read_pins")
        ),
    ] = ()
    aia: Annotated[
        bool,
        "Download a missing issuer over HTTP to verify that nothing else is missing.",
        switch(TRUST),
    ] = False

    until: Annotated[
        tuple[str, ...],
        "Run until this goal is met or ruled out: 'failing<0.1%', 'failing<0.1% for 10m',"
        " 'failures>=20', 'relative<20%', 'clean for 10m', …; repeatable.",
        repeated(STOP, "GOAL", plan="goals"),
    ] = ()
    assertions: Annotated[
        tuple[str, ...],
        "Pass or fail the run by this: a goal, 'chains==1', 'causes==0', 'p99.server<50ms', …;"
        " repeatable. Goals and assertions alone then decide the exit code.",
        repeated(STOP, "EXPR", name="assert", plan="assertions"),
    ] = ()
    max_duration: Annotated[
        str | None,
        "Stop after TIME even if a goal is still undecided. [default: 15m]",
        timespan(STOP),
    ] = None
    stop_on_refusal: Annotated[
        bool | None,
        "Stop when the target starts to refuse every connection; in a search, end only that"
        " step. [default: on for public targets]",
        switch(STOP),
    ] = None
    drain: Annotated[
        str | None,
        "On Ctrl-C or SIGTERM, wait at most TIME for handshakes in flight. [default: 3s]",
        timespan(STOP, units.duration_s, plan="limits.drain_s"),
    ] = None
    interrupted: Annotated[
        str | None,
        "Resume an interrupted run with its plan; both parts become one run in a new file.",
        Option(STOP, "RUN", name="continue", profile_key=False),
    ] = None

    authorized: Annotated[
        bool,
        "Confirm that the target is yours, or that its owner agrees to this load. Recorded with"
        " the run.",
        switch(CONSENT, name="i-am-authorized", profile_key=False),
    ] = False

    json: Annotated[
        bool,
        "Print the summary as one JSON document.",
        switch(OUTPUT),
    ] = False
    html: Annotated[
        str | None,
        "Also write the report as a self-contained HTML page.",
        path(OUTPUT, form="page.PageReport"),
    ] = None
    junit: Annotated[
        str | None,
        "Also write the result as JUnit XML, for CI.",
        path(OUTPUT, form="junit.JunitReport"),
    ] = None
    openmetrics: Annotated[
        str | None,
        "Also write the metrics in OpenMetrics format, for a textfile collector.",
        path(OUTPUT, form="openmetrics.OpenMetricsReport"),
    ] = None
    markdown: Annotated[
        str | None,
        "Also write the report as Markdown, for a CI job summary.",
        path(OUTPUT, form="markdown.MarkdownReport"),
    ] = None
    quiet: Annotated[
        bool,
        "Print no progress and no report; headline, reasons and errors go to stderr.",
        switch(OUTPUT, short="-q"),
    ] = False
    name: Annotated[
        str | None,
        "Name of the run. [default: HOST-UTC]",
        Option(OUTPUT, "NAME"),
    ] = None
    results: Annotated[
        str | None,
        "Directory of the run files. [default: results]",
        path(OUTPUT, metavar="DIR"),
    ] = None
    metrics: Annotated[
        str | None,
        "Serve live Prometheus metrics during the run. [default address: 127.0.0.1]",
        Option(OUTPUT, "[ADDR:]PORT"),
    ] = None

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
        return read if isinstance(given, tuple) else read[0]


@cache
def options() -> Mapping[str, Option]:
    """Return the declared options by field, in the order of `Request`."""
    declared: dict[str, Option] = {}
    for field in fields(Request):
        _, about, option = get_args(field.type)
        name = option.name or field.name.replace("_", "-")
        declared[field.name] = replace(option, help=about, name=name)
    return declared
