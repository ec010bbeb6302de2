"""The options that say what is asked, how hard, and how it is judged: they make a `Request`.

Texts stay as typed: planning reads them, because a profile's keys are the same words and must
meet the same checks and the same messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli.option_groups import Group, flat
from stress.cli.stop_options import Assert, MaxDuration, StopOnRefusal, Until

if TYPE_CHECKING:
    from stress.planning import Request
else:  # only its name is needed to show the options, and `--help` must not wait for planning
    Request = object

LOAD, ASKING, JUDGING, CONSENT = "Load", "Asking", "Judging", "Consent"

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="host, host:port, 1.2.3.4:443, [2001:db8::1]:443 or https://host[:port]/ ."
        " A name stands for all its addresses, each sampled equally.",
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Load profile; the other options win over it. See `tls-stress profiles`.",
        rich_help_panel=LOAD,
    ),
]
CountOption = Annotated[
    str | None,
    typer.Option("-n", "--count", metavar="N", help="Handshakes in all.", rich_help_panel=LOAD),
]
Duration = Annotated[
    str | None,
    typer.Option(
        "-d", "--duration", metavar="TIME", help="Such as 30s or 10m.", rich_help_panel=LOAD
    ),
]
Concurrency = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--concurrency",
        metavar="N",
        help="Most handshakes in flight. [default: 64]",
        rich_help_panel=LOAD,
    ),
]
Rate = Annotated[
    str | None,
    typer.Option(
        metavar="N[/s]",
        help="Offered handshakes a second over all addresses (open loop)."
        " Without it each one that ends starts the next.",
        rich_help_panel=LOAD,
    ),
]
Processes = Annotated[
    str | None,
    typer.Option(metavar="N", help="Worker processes. [default: the cores]", rich_help_panel=LOAD),
]
Detect = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE",
        help="As many handshakes as show a failing share such as 0.1% with 95%.",
        rich_help_panel=LOAD,
    ),
]
FindLimit = Annotated[
    str | None,
    typer.Option(
        metavar="GOAL",
        help="Search for the highest rate at which this holds: 'p99.total<250ms, failing<0.1%'.",
        rich_help_panel=LOAD,
    ),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="clients|concurrency",
        help="Search for each client alone (with --resumption, once full and once resumed), or for"
        " how many at once instead of how many a second; repeatable.",
        rich_help_panel=LOAD,
    ),
]
RateBlocks = Annotated[
    bool,
    typer.Option(
        "--rate-blocks",
        help="Vary --rate at random (25 to 125%, for 400 s or --duration): is it a fault of"
        " configuration or of capacity?",
        rich_help_panel=LOAD,
    ),
]
Hold = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Keep finished connections open so long, such as 60s: open ones are half of a limit.",
        rich_help_panel=LOAD,
    ),
]
Seed = Annotated[
    str | None,
    typer.Option(metavar="N", help="Of everything drawn by chance.", rich_help_panel=LOAD),
]
ClientOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=WEIGHT]",
        help="Which program to ask as; repeatable, then interleaved. [default: generic]",
        rich_help_panel=ASKING,
    ),
]
Sni = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|none",
        help="The name sent and checked. [default: the host]",
        rich_help_panel=ASKING,
    ),
]
StackOption = Annotated[
    str | None,
    typer.Option(
        metavar="boringssl|openssl",
        help="TLS library. [default: boringssl]",
        rich_help_panel=ASKING,
    ),
]
Resumption = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE",
        help="Such as 70%: so many offer a session of an earlier handshake. [default: 0]",
        rich_help_panel=ASKING,
    ),
]
AddressOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IP[:PORT][=LABEL]",
        help="Dial this address instead of resolving; repeatable.",
        rich_help_panel=ASKING,
    ),
]
AddressesOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-", help="Lines of `ip[:port] [label]`; - is stdin.", rich_help_panel=ASKING
    ),
]
Source = Annotated[
    list[str] | None,
    typer.Option(metavar="IP", help="Dial from here; repeatable.", rich_help_panel=ASKING),
]
Resolver = Annotated[
    str | None,
    typer.Option(metavar="IP", help="DNS server to ask.", rich_help_panel=ASKING),
]
ProxyProtocol = Annotated[
    str | None,
    typer.Option(metavar="v1|v2", help="Send a PROXY header first.", rich_help_panel=ASKING),
]
Cert = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Our PEM chain for mutual TLS, with --key.", rich_help_panel=ASKING
    ),
]
Key = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Its private key.", rich_help_panel=ASKING),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Bounds one attempt in all. [default: 10s]", rich_help_panel=ASKING
    ),
]
CloseOption = Annotated[
    str | None,
    typer.Option(
        metavar="auto|fin|rst",
        help="How we end a connection. auto: fin while local ports allow.",
        rich_help_panel=ASKING,
    ),
]
Ca = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="PEM of the trust anchors instead of the system's; they count as private.",
        rich_help_panel=JUDGING,
    ),
]
Policy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|none",
        help="Judge all clients by this policy. [default: each client's own]",
        rich_help_panel=JUDGING,
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Judge as of then: a date, an RFC 3339 time, +30d. [default: when seen]",
        rich_help_panel=JUDGING,
    ),
]
Pin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="sha256//BASE64",
        help="A public key that must be in the chain; repeatable.",
        rich_help_panel=JUDGING,
    ),
]
Aia = Annotated[
    bool,
    typer.Option(
        "--aia",
        help="Fetch a missing issuer over http, to prove that it is all that is missing.",
        rich_help_panel=JUDGING,
    ),
]
Authorized = Annotated[
    bool,
    typer.Option(
        "--i-am-authorized",
        help="The target is yours, or its owner agrees to this load. Kept with the run.",
        rich_help_panel=CONSENT,
    ),
]


def request_of(
    *,
    target: Targets = None,
    profile: Profile = None,
    count: CountOption = None,
    duration: Duration = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    processes: Processes = None,
    detect: Detect = None,
    find_limit: FindLimit = None,
    sweep: SweepOption = None,
    rate_blocks: RateBlocks = False,
    hold: Hold = None,
    seed: Seed = None,
    client: ClientOption = None,
    sni: Sni = None,
    stack: StackOption = None,
    resumption: Resumption = None,
    address: AddressOption = None,
    addresses: AddressesOption = None,
    source: Source = None,
    resolver: Resolver = None,
    proxy_protocol: ProxyProtocol = None,
    cert: Cert = None,
    key: Key = None,
    timeout: Timeout = None,
    close: CloseOption = None,
    ca: Ca = None,
    policy: Policy = None,
    at: At = None,
    pin: Pin = None,
    aia: Aia = False,
    until: Until = None,
    assertion: Assert = None,
    max_duration: MaxDuration = None,
    stop_on_refusal: StopOnRefusal = None,
    i_am_authorized: Authorized = False,
) -> Request:
    """What the words ask for, unchecked."""
    from stress import planning  # noqa: PLC0415 - heavy

    return planning.Request(
        targets=tuple(target or ()),
        profile=profile,
        count=count,
        duration=duration,
        concurrency=concurrency,
        rate=rate,
        processes=processes,
        detect=detect,
        find_limit=find_limit,
        sweep=tuple(sweep or ()),
        rate_blocks=rate_blocks,
        hold=hold,
        seed=seed,
        clients=tuple(client or ()),
        sni=sni,
        stack=stack,
        resumption=resumption,
        addresses_inline=tuple(address or ()),
        addresses_file=addresses,
        sources=tuple(source or ()),
        resolver=resolver,
        proxy_protocol=proxy_protocol,
        cert=cert,
        key=key,
        timeout=timeout,
        close=close,
        ca=ca,
        policy=policy,
        at=at,
        pins=tuple(pin or ()),
        aia=aia,
        until=tuple(until or ()),
        assertions=tuple(assertion or ()),
        max_duration=max_duration,
        stop_on_refusal=stop_on_refusal,
        authorized=i_am_authorized,
    )


RequestOptions = Annotated[Request, Group(request_of)]


def parse(words: Sequence[str]) -> Request:
    """Reads the words that could follow `tls-stress run`, output options excepted."""
    found: list[Request] = []

    def take(request: RequestOptions) -> int:
        found.append(request)
        return 0

    reader = typer.Typer(add_completion=False)
    reader.command()(flat(take))
    reader(args=list(words), standalone_mode=False)
    return found[0]
