"""What the user asked for, in the user's own words: options and profile keys, not yet checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `run`, named as they are, with underscores. None or empty: not given.

    Texts stay as typed; `plan_run` reads and checks them.
    """

    targets: tuple[str, ...] = ()
    profile: str | None = None
    """Name of a shipped load profile, or path of a TOML file."""

    count: int | str | None = None
    duration: str | None = None
    concurrency: int | str | None = None
    rate: str | None = None
    """`500`, `500/s`, `30/m`, or `none` for a closed loop in spite of a profile."""
    processes: int | str | None = None
    detect: str | None = None
    """A failing share to be seen with 95%, such as `0.1%`; sets the count."""
    find_limit: str | None = None
    """Bounds such as `p99.total<250ms, failing<0.1%`; the highest rate at which they hold is
    searched for, beginning at `rate`."""
    sweep: tuple[str, ...] = ()
    """`clients`, `concurrency` or both: what the search goes through."""
    rate_blocks: bool = False
    """Vary the rate at random, to see whether the failing share follows it."""
    segments: tuple[str, ...] = ()
    """Stretches of the load, such as `200/s to 1000/s for 30s`; only in a profile, as tables."""
    arrivals: str | None = None
    """`poisson` or `constant`."""
    warm_up: str | None = None
    """What is due in the first so long is kept, marked and left out of latency."""
    hold: str | None = None
    """Finished connections stay open so long."""
    stop_on_refusal: bool | None = None
    """Stop when the target begins to refuse everything; None: where it is public."""
    seed: int | str | None = None

    clients: tuple[str, ...] = ()
    """`NAME[=WEIGHT]` each, a name or the path of a TOML file."""
    sni: str | None = None
    """The name sent and checked, or `none`."""
    stack: str | None = None
    resumption: str | None = None
    """Share of the attempts that offer a session, such as `70%`."""
    addresses_inline: tuple[str, ...] = ()
    """`IP[:PORT][=LABEL]` each."""
    addresses_file: str | None = None
    """File of lines `ip[:port] [label]`; `-` is standard input."""
    sources: tuple[str, ...] = ()
    resolver: str | None = None
    """`IP[:PORT]` of the DNS server to ask."""
    proxy_protocol: str | None = None
    cert: str | None = None
    key: str | None = None
    timeout: str | None = None
    connect_timeout: str | None = None
    hello_timeout: str | None = None
    handshake_timeout: str | None = None
    after_handshake: str | None = None
    close: str | None = None

    evidence_per_signature: int | str | None = None
    evidence_bytes: int | str | None = None

    ca: str | None = None
    policy: str | None = None
    at: str | None = None
    pins: tuple[str, ...] = ()
    """`sha256//BASE64` each."""

    aia: bool = False
    """Fetch a missing issuer to prove what is missing."""

    until: tuple[str, ...] = ()
    """Goals that end the run; planning only carries them, and `assertions`."""
    assertions: tuple[str, ...] = ()
    max_duration: str | None = None

    authorized: bool = False
    """`--i-am-authorized` was given."""
    name: str | None = None
    """Name of the run; planning only carries it."""
    results: str | None = None
    """Folder for the run file; planning only carries it, and all that follows."""
    json: bool = False
    """Print the summary as one JSON document."""
    quiet: bool = False
    html: str | None = None
    """A file for the report in this form, as the next three."""
    junit: str | None = None
    openmetrics: str | None = None
    markdown: str | None = None
    metrics: str | None = None
    """`[ADDR:]PORT` where figures are served while the run goes on."""
