"""A `Plan`: everything a run will do, checked before the first packet."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

# A client profile as data: what its ClientHello says and which trust policy its user has.

NO_POLICY = "none"
"""The trust policy that rejects nothing: chains are recorded and not validated."""


class Stack(StrEnum):
    """The TLS library that performs the handshake."""

    BORINGSSL = "boringssl"
    OPENSSL = "openssl"


@dataclass(frozen=True, slots=True)
class Client:
    """A client program. An empty tuple means the TLS stack's default; code points are IANA numbers.

    One TOML file in `profiles/clients/` each.
    """

    name: str
    title: str = ""
    """One line: which program this is."""
    versions: tuple[int, ...] = (0x0304, 0x0303)
    """TLS versions offered, as wire numbers (0x0303 is TLS 1.2), best first."""
    cipher_suites: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    key_shares: tuple[int, ...] = ()
    signature_algorithms: tuple[int, ...] = ()
    alpn: tuple[str, ...] = ()
    extensions: tuple[int, ...] = ()
    """Extension numbers in the order the real client sends them (for JA3); empty: unknown."""
    compress_certificate: tuple[str, ...] = ()
    grease: bool = False
    server_name: bool = True
    """Whether SNI is sent. The certificate is checked against the name in any case."""
    session_tickets: bool = True
    policy: str = "any"
    """Name of the trust policy of its platform (`stress.trust`)."""
    stack: Stack | None = None
    """The TLS library that sends it. None in a profile: the first that can; a plan names it."""
    cannot_express: tuple[str, ...] = ()
    """Parts of the real client's hello that none of our stacks can send, in words."""
    weight: float = 1.0
    """Weight in the mix, relative to the other clients of the run."""


# Where connections go: the `Target` that the user names and its `Address`es.


@dataclass(frozen=True, slots=True)
class Target:
    """What is tested: a host (name or address literal) and a port."""

    host: str
    port: int = 443

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError("a target needs a host")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not between 1 and 65535")

    @property
    def literal(self) -> IPv4Address | IPv6Address | None:
        """The host as an address when it is one, else None (it is a name to resolve)."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def with_label(address: str, label: str | None) -> str:
    """An address for readers, who know the label better."""
    return f"{label} ({address})" if label else address


_HOST_NAME = re.compile(r"[a-z0-9_.-]{1,253}")


def check_place(text: str, *, names: bool) -> None:
    """Check that a text of a file is an IP address, or with `names` a host name in lower case.

    Raises:
        ValueError: it is not.
    """
    if not names or not _HOST_NAME.fullmatch(text):
        ip_address(text)


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a target; all addresses are sampled equally."""

    ip: str
    """Canonical text of an IPv4 or IPv6 address; the target's name where a proxy resolves it."""
    port: int
    label: str | None = None
    """A name the user gave it (`--address IP=LABEL`), else None."""

    @property
    def family(self) -> str:
        """`ipv4` or `ipv6`; `name` where a proxy resolves it."""
        if ":" in self.ip:
            return "ipv6"
        return "ipv4" if self.ip[-1:].isdigit() else "name"  # no name ends in a number

    @property
    def named(self) -> str:
        """For readers: its label first, where it has one, such as `node-7 (192.0.2.7:443)`."""
        return with_label(str(self), self.label)

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


class Role(StrEnum):
    """How a combination of a replay ended when it was recorded."""

    FAILED = "failed"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Combination:
    """What a client chooses about a connection. Indices are those of the recorded run."""

    role: Role
    address: int
    client: int
    source: int | None
    local_port: int | None
    """None: any."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What of a recorded run is tried again: single combinations, or its whole load."""

    run: str
    """Name of the recorded run."""
    order: tuple[Combination, ...]
    """All tries, round after round; the attempt with the id `n` tries `order[n]`. Empty: the load
    of the recorded run is offered again, because the failures may depend on it."""
    rounds: int
    """How often each combination is tried: once in each round."""
    gap_s: float
    """Wait between rounds, so that balancers and firewalls forget earlier connections."""
    endings: tuple[str, ...]
    """Names of the outcomes that count as the recorded failure."""
    rate: float
    """Failure rate of such connections in the recorded run, as a fraction; with the whole load,
    the lower end of its interval."""
    cause: str = ""
    """The sentence of the cause that is replayed; empty: all failures."""

    @property
    def at_load(self) -> bool:
        """Whether the recorded load is offered again instead of single combinations."""
        return not self.order

    @property
    def round_size(self) -> int:
        """Tries in one round."""
        return len(self.order) // self.rounds


class StartTls(StrEnum):
    """The protocol in which TLS is asked for (`stress.dialogues`)."""

    SMTP = "smtp"
    LMTP = "lmtp"
    IMAP = "imap"
    POP3 = "pop3"
    FTP = "ftp"
    LDAP = "ldap"
    POSTGRES = "postgres"
    MYSQL = "mysql"
    XMPP = "xmpp"
    SIEVE = "sieve"
    NNTP = "nntp"

    @classmethod
    def implied_by(cls, port: int) -> StartTls | None:
        """The protocol of a well-known port on which TLS never comes first."""
        return _ON_PORTS.get(port)

    @property
    def port(self) -> int:
        """The well-known port."""
        return next((port for port, one in _ON_PORTS.items() if one is self), _LMTP_PORT)


_LMTP_PORT = 24
"""By custom ("any private mail system"), so it implies nothing."""
_ON_PORTS = {
    21: StartTls.FTP,
    25: StartTls.SMTP,
    110: StartTls.POP3,
    119: StartTls.NNTP,
    143: StartTls.IMAP,
    389: StartTls.LDAP,
    587: StartTls.SMTP,
    3306: StartTls.MYSQL,
    4190: StartTls.SIEVE,
    5222: StartTls.XMPP,
    5432: StartTls.POSTGRES,
}


class ProxyScheme(StrEnum):
    """How a proxy is asked for a connection."""

    HTTP = "http"
    """By CONNECT (RFC 9110 section 9.3.6)."""
    SOCKS5 = "socks5"
    """RFC 1928. Names are resolved by the proxy, as with what other tools call `socks5h`."""

    @property
    def port(self) -> int:
        """What a proxy of this kind usually listens on."""
        return {"http": 3128, "socks5": 1080}[self]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy through which every connection goes. It never holds credentials."""

    scheme: ProxyScheme
    host: str
    """As given: a name or an address."""
    port: int
    ip: str
    """What the host is, or resolved to when the run began: the end of our TCP connections."""

    @property
    def address(self) -> Address:
        """Where our own connections go."""
        return Address(self.ip, self.port)

    def __str__(self) -> str:
        return f"{self.scheme}://{Target(self.host, self.port)}"


class Close(StrEnum):
    """How we close a connection."""

    AUTO = "auto"
    FIN = "fin"
    RST = "rst"


class Sweep(StrEnum):
    """What a search for the limit varies in one run."""

    CLIENTS = "clients"
    """Each client alone; with resumption, each once without and once with it."""
    CONCURRENCY = "concurrency"
    """How many are in flight, in a closed loop, instead of the rate."""


class Arrivals(StrEnum):
    """How the intended starts of an open loop are spaced."""

    CONSTANT = "constant"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a load in which the offered load is constant or changes linearly."""

    rate: float
    """Attempts a second at its beginning, over all addresses and processes; above 0. Without
    meaning when there are `slots`."""
    seconds: float
    to: float | None = None
    """Attempts a second at its end; None: as at its beginning."""
    slots: int | None = None
    """Attempts in flight, over all processes, in a closed loop; None: open loop."""
    client: int | None = None
    """The only client of the plan that is used; None: all of them, by weight."""
    resumption: float | None = None
    """Fraction of the attempts that offer a session; None: the plan's."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many attempts, and how fast."""

    count: int | None = 1000
    """Attempts in all, over all addresses and processes; None: until `duration_s`."""
    duration_s: float | None = None
    concurrency: int = 64
    """Most attempts in flight, over all processes."""
    rate: float | None = None
    """Offered attempts a second, over all addresses and processes; None: closed loop."""
    segments: tuple[Segment, ...] = ()
    """Parts of the open loop, in order, instead of one `rate`."""
    arrivals: Arrivals = Arrivals.POISSON
    processes: int = 1
    warm_up_s: float = 0.0
    """Attempts due in the first seconds are recorded but left out of latency."""
    hold_s: float = 0.0
    """How long connections stay open after the handshake: open ones load the target, too."""
    stop_on_refusal: bool = False
    """Stop when the target refuses everything."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each stage may take, in seconds. `attempt_s` bounds one attempt in all."""

    attempt_s: float = 10.0
    connect_s: float = 10.0
    hello_s: float = 10.0
    """From ClientHello sent to the first byte of the answer."""
    handshake_s: float = 10.0
    """From ClientHello sent to finished."""
    after_handshake_s: float = 0.25
    """Longest wait for what TLS 1.3 sends only after the handshake; 0 turns the read off."""
    drain_s: float = 3.0
    """How long attempts in flight may go on after an interruption."""
    connection_bytes: int = 2_000_000
    """Most bytes one connection may receive."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many transcripts are kept as evidence. With either at 0, none."""

    per_signature: int = 5
    """First attempts of each distinct outcome, address, client and chain, in each process."""
    total_bytes: int = 50_000_000
    """Most bytes of transcripts in the whole run."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How chains are validated."""

    policy: str | None = None
    """Overrides each client's own policy; `none` turns validation off."""
    host: str = ""
    """The name that is checked."""
    anchors: tuple[bytes, ...] = ()
    """DER of the trust anchors."""
    anchors_from: str = "system"
    """Where they came from, for the report: a file name, `system` or `certifi`."""
    private: bool = False
    """True when the anchors came from `--ca`: no SCT and no CA/B lifetime rule."""
    at: int | None = None
    """Unix seconds to validate for; None: when each chain was first seen."""
    pins: tuple[bytes, ...] = ()
    """SHA-256 of acceptable public keys (32 bytes each); empty: no pinning."""
    aia: bool = False
    stores: str = ""
    """File of the families' root stores; empty: those shipped. Never read from a run file."""


PROBES = 480
"""Connections that `--backends` makes at most, after the run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. Made only by `stress.planning`; serialised into the run file."""

    target: Target
    addresses: tuple[Address, ...]
    """At the start; names are resolved again when `resolve_again_s` has passed."""
    clients: tuple[Client, ...]
    load: Load = field(default_factory=Load)
    limits: Limits = field(default_factory=Limits)
    trust: Trust = field(default_factory=Trust)
    keeping: Keeping = field(default_factory=Keeping)
    server_name: str | None = None
    """The SNI that is sent; None sends none."""
    stack: Stack | None = None
    """The TLS library of all clients, where the user chose one (`--stack`); None: each its own."""
    close: Close = Close.AUTO
    ticket_names: bool | None = None
    """Read the names of the keys of session tickets, by which servers behind one address differ.
    None: of a random sample, and where the chain is rare, as every new run does if it is not told
    otherwise."""
    backends: bool = False
    """Offer TLS sessions to more connections after the run, to see which servers share them."""
    identify: str | None = None
    """`header:NAME` of the answer to one HEAD after each handshake, by which a server names itself;
    None: no HEAD is sent."""
    resumption: float = 0.0
    """Fraction of the attempts that offer a session if there is one; 0: all are full handshakes."""
    sources: tuple[str, ...] = ()
    """Local addresses to dial from, in turn; empty: the kernel chooses."""
    resolve_again_s: float | None = None
    """Seconds after which the name is resolved again (its TTL); None: never."""
    resolver: str | None = None
    proxy_protocol: str | None = None
    """`v1` or `v2` to send a PROXY header first."""
    starttls: StartTls | None = None
    """The protocol in which TLS is asked for; None: TLS comes first."""
    proxy: Proxy | None = None
    """Through which every connection goes; None: connections are direct."""
    proxy_authorization: str | None = None
    """Where the credentials for the proxy are read: the path of a file, or `$` and the name of a
    variable; None: none are sent. Never taken from a run file."""
    client_certificate: str | None = None
    """Path of a PEM chain for mutual TLS."""
    client_key: str | None = None
    goals: tuple[str, ...] = ()
    """Goals that end the run when they are reached or refuted (`--until`), as given."""
    assertions: tuple[str, ...] = ()
    """Assertions about the result (`--assert`), as given."""
    seed: int = 0
    profile: str = ""
    """Name of the load profile, empty when only options were given."""
    find_limit: str = ""
    """Goal whose highest sustained rate is searched for, as given; empty: no search."""
    sweep: tuple[Sweep, ...] = ()
    """What the search varies; empty: one search over the rate, for the whole mix."""
    replay: Replay | None = None
    """Combinations of a recorded run that are tried again instead of a load of its own."""
    authorized: str | None = None
    """How consent for a public target was given, for the record; None: not needed."""
    notes: tuple[str, ...] = ()
    """Choices that planning made by itself and that the report mentions."""

    @property
    def names_server(self) -> bool:
        """Whether every ClientHello names the server (SNI)."""
        return self.server_name is not None and all(one.server_name for one in self.clients)

    def stack_of(self, client: Client) -> Stack:
        """The TLS library that sends this client's hello."""
        return self.stack or client.stack or Stack.BORINGSSL
