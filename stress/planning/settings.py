"""The keys of a load profile: each option of `run` under its own name, and how it is checked.

One table, so that a profile and the command line cannot drift apart: a key names the field of
`Request` that it fills and the reader that the option itself uses. A profile's values are read
once when the file is loaded, because only then are its lines known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from stress.clients.profiles import weight
from stress.errors import UsageError
from stress.model.client import Stack
from stress.model.plan import Arrivals, Close, Sweep
from stress.planning.addresses import parse_address
from stress.planning.connection_options import ProxyProtocol, own_address, server_name
from stress.planning.load import sample_size
from stress.planning.load_shapes import stretch
from stress.planning.resolution import parse_resolver
from stress.planning.trust_options import policy_name, read_pins
from stress.text import units
from stress.text.datetimes import moment
from stress.text.suggestions import chosen

_ANY_TIME = 2**31
"""A present for checking the form of `at`; relative times are read again with the true one."""


class Shape(Enum):
    """What TOML type a key has."""

    TEXT = auto()
    """Text, a plain number or a date."""
    LIST = auto()
    """An array of texts, or one text."""
    STRETCHES = auto()
    """An array of tables, the stretches of a load."""
    SWITCH = auto()
    """true or false."""
    FILE = auto()
    """A path, relative to the profile's folder."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a load profile."""

    field: str
    """Of `Request`."""
    check: Callable[[str], object]
    """Raises `UsageError` for a value that the option would not take."""
    shape: Shape = Shape.TEXT
    about: str = ""
    """What it does; empty where the option of the same name tells it."""


def _as_is(text: str) -> str:
    """Checked where it is used; that it is something is checked here.

    Raises:
        UsageError: it is nothing.
    """
    if not text.strip():
        raise UsageError('the value is ""', "Give one, or leave the key out.")
    return text


def _client(text: str) -> None:
    _, equals, share = text.rpartition("=")
    if equals:
        weight(share)


SETTINGS: Mapping[str, Setting] = {
    "count": Setting("count", units.count),
    "duration": Setting("duration", units.duration_s),
    "concurrency": Setting("concurrency", units.positive_count),
    "rate": Setting("rate", units.rate_per_s),
    "processes": Setting("processes", units.positive_count),
    "detect": Setting("detect", lambda text: sample_size(units.share(text))),
    "find-limit": Setting("find_limit", _as_is),
    "sweep": Setting("sweep", lambda text: chosen(Sweep, text), Shape.LIST),
    "rate-blocks": Setting("rate_blocks", _as_is, Shape.SWITCH),
    "segments": Setting(
        "segments",
        stretch,
        Shape.STRETCHES,
        'The load as stretches, such as `{rate = "50/s", to = "500/s", duration = "2m"}`.',
    ),
    "arrivals": Setting(
        "arrivals",
        lambda text: chosen(Arrivals, text),
        about="How starts are spaced: `poisson`, as users come, or `constant`. [default: poisson]",
    ),
    "warm-up": Setting(
        "warm_up",
        units.duration_s,
        about="What is due in the first so long is kept, marked and left out of latency.",
    ),
    "hold": Setting("hold", units.duration_s),
    "stop-on-refusal": Setting("stop_on_refusal", _as_is, Shape.SWITCH),
    "seed": Setting("seed", units.count),
    "client": Setting("clients", _client, Shape.LIST),
    "sni": Setting("sni", server_name),
    "stack": Setting("stack", lambda text: chosen(Stack, text)),
    "resumption": Setting("resumption", units.share),
    "address": Setting("addresses_inline", lambda text: parse_address(text, 443), Shape.LIST),
    "addresses": Setting("addresses_file", _as_is, Shape.FILE),
    "source": Setting("sources", own_address, Shape.LIST),
    "resolver": Setting("resolver", parse_resolver),
    "proxy-protocol": Setting("proxy_protocol", lambda text: chosen(ProxyProtocol, text)),
    "cert": Setting("cert", _as_is, Shape.FILE),
    "key": Setting("key", _as_is, Shape.FILE),
    "timeout": Setting("timeout", units.positive_duration_s),
    "connect-timeout": Setting(
        "connect_timeout",
        units.positive_duration_s,
        about="Until the connection is usable. [default: timeout]",
    ),
    "hello-timeout": Setting(
        "hello_timeout",
        units.positive_duration_s,
        about="From ClientHello sent to the first byte of the answer. [default: timeout]",
    ),
    "handshake-timeout": Setting(
        "handshake_timeout",
        units.positive_duration_s,
        about="From ClientHello sent to finished. [default: timeout]",
    ),
    "after-handshake": Setting(
        "after_handshake",
        units.duration_s,
        about="Longest wait for what TLS 1.3 says only after the handshake; 0 turns the read off."
        " [default: 250ms]",
    ),
    "close": Setting("close", lambda text: chosen(Close, text)),
    "evidence-per-signature": Setting(
        "evidence_per_signature",
        units.count,
        about="So many first attempts of each distinct ending, address, client and chain are kept"
        " byte for byte, in each process; 0 keeps none. [default: 5]",
    ),
    "evidence-bytes": Setting(
        "evidence_bytes",
        units.size_bytes,
        about="Most bytes of evidence in the run file; 0 keeps none. [default: 50MB]",
    ),
    "ca": Setting("ca", _as_is, Shape.FILE),
    "policy": Setting("policy", policy_name),
    "at": Setting("at", lambda text: moment(text, _ANY_TIME)),
    "pin": Setting("pins", read_pins, Shape.LIST),
    "aia": Setting("aia", _as_is, Shape.SWITCH),
    "until": Setting("until", _as_is, Shape.LIST),
    "assert": Setting("assertions", _as_is, Shape.LIST),
    "max-duration": Setting("max_duration", units.positive_duration_s),
    "name": Setting("name", _as_is),
    "results": Setting("results", _as_is, Shape.FILE),
    "json": Setting("json", _as_is, Shape.SWITCH),
    "quiet": Setting("quiet", _as_is, Shape.SWITCH),
    "html": Setting("html", _as_is, Shape.FILE),
    "junit": Setting("junit", _as_is, Shape.FILE),
    "openmetrics": Setting("openmetrics", _as_is, Shape.FILE),
    "markdown": Setting("markdown", _as_is, Shape.FILE),
    "metrics": Setting("metrics", _as_is),
}
