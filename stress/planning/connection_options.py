"""How each connection asks: name sent, TLS stack, sources, PROXY header, own certificate."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stress.clients.profiles import asked_clients
from stress.errors import UsageError
from stress.handshake import Credentials, stack_for
from stress.host.limits import is_local
from stress.model.client import Client, Stack
from stress.model.plan import Close, Load
from stress.model.target import Target
from stress.planning.load_shapes import held_open
from stress.planning.request import Request
from stress.planning.resolution import parse_resolver
from stress.planning.targets import host_name, literal
from stress.text.suggestions import UNREADABLE, chosen, printable
from stress.text.units import named, option, share

STACK_VARIABLE = "TLS_STRESS_STACK"
"""Environment variable that holds the default of `--stack`, where one library is not wanted."""
_NO_NAME = "none"
_TLS_1_3 = 0x0304
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Asking:
    """How each connection asks, checked."""

    clients: tuple[Client, ...]
    stack: Stack
    server_name: str | None
    """The SNI to send; None: none."""
    host: str
    """The name that certificates are checked against."""
    sources: tuple[str, ...] = ()
    proxy_protocol: str | None = None
    certificate: str | None = None
    """Path of a PEM file, as is `key`."""
    key: str | None = None
    resumption: float = 0.0
    """Share of the attempts that offer a session."""


class ProxyProtocol(StrEnum):
    """Versions of the PROXY header (haproxy.org, proxy-protocol.txt)."""

    V1 = "v1"
    V2 = "v2"


def asking_of(request: Request, target: Target) -> Asking:
    """Read the asking options, and try whether the stack can speak as each client does.

    Raises:
        UsageError: an option is wrong, or the stack cannot speak a client.
    """
    option("--resolver", parse_resolver, request.resolver)
    name, host = names_of(request, target)
    asking = Asking(
        asked_clients(request.clients),
        stack_of(request),
        name,
        host,
        sources_of(request),
        proxy_of(request),
        *credentials_of(request),
        option("--resumption", share, request.resumption) or 0.0,
    )
    _check_speakable(asking)
    if asking.resumption:
        _check_resumable(asking)
    return asking


def stack_of(request: Request) -> Stack:
    """Return the TLS stack that was asked for, else the environment's, else BoringSSL.

    Raises:
        UsageError: it is none of ours.
    """
    asked = request.stack or os.environ.get(STACK_VARIABLE)
    return option("--stack", lambda text: chosen(Stack, text), asked) or Stack.BORINGSSL


def proxy_of(request: Request) -> str | None:
    """Return the version of the PROXY header to send, or None.

    Raises:
        UsageError: it is neither v1 nor v2.
    """
    asked = option(
        "--proxy-protocol", lambda text: chosen(ProxyProtocol, text), request.proxy_protocol
    )
    return asked.value if asked else None


def names_of(request: Request, target: Target) -> tuple[str | None, str]:
    """Return the name to send (None: none) and the name to check certificates against.

    An address literal is checked but never sent (RFC 6066 section 3).

    Raises:
        UsageError: `--sni` is no host name.
    """
    asked = option("--sni", server_name, request.sni)
    if asked is None:
        return (None if target.literal else target.host), target.host
    return (None, target.host) if asked == _NO_NAME else (asked, asked)


def server_name(text: str) -> str:
    """Read a name for SNI, or `none`.

    Raises:
        UsageError: it is an address (RFC 6066 section 3 forbids those) or no host name.
    """
    name = text.strip()
    if literal(name):
        raise UsageError(
            f'"{printable(name)}" is an address; only host names are sent (RFC 6066)',
            "Give a host name, or --sni none to send none.",
        )
    return name.lower() if name.lower() == _NO_NAME else host_name(name)


def sources_of(request: Request) -> tuple[str, ...]:
    """Return the local addresses to dial from; empty: the kernel chooses.

    Raises:
        UsageError: one is no address, or none of this machine's.
    """
    return tuple(dict.fromkeys(named("--source", own_address, text) for text in request.sources))


def own_address(text: str) -> str:
    """Read one of this machine's own addresses.

    Raises:
        UsageError: it is no address, or another machine's.
    """
    ip = literal(text.strip())
    if ip is None:
        raise UsageError(f'"{printable(text)}" is no IP address', "Give one of this machine's own.")
    if not is_local(ip):
        raise UsageError(f"{ip} is none of this machine's addresses", "See: ip address show")
    return ip


def credentials_of(request: Request) -> tuple[str | None, str | None]:
    """Return the paths of our certificate and its key; one file may hold both.

    Raises:
        UsageError: a key without certificate, a file that cannot be read, or one that is no PEM.
    """
    if request.cert is None:
        if request.key is not None:
            raise UsageError("--key without --cert", "Give the certificate as --cert FILE.")
        return None, None
    _check_pem("--cert", request.cert, "CERTIFICATE-----")
    key = request.key or request.cert
    _check_pem("--key" if request.key else "--cert", key, "PRIVATE KEY-----")
    return request.cert, key


def _check_speakable(asking: Asking) -> None:
    certificate, key = asking.certificate, asking.key
    both = Credentials(Path(certificate), Path(key)) if certificate and key else None
    for client in asking.clients:
        stack_for(client, asking.stack, server_name=asking.server_name, credentials=both)


def _check_resumable(asking: Asking) -> None:
    """BoringSSL's binding keeps no TLS 1.3 tickets; its clients would silently never resume."""
    newer = [client.name for client in asking.clients if _TLS_1_3 in client.versions]
    if asking.stack is Stack.BORINGSSL and newer:
        raise UsageError(
            f"--resumption: BoringSSL cannot resume TLS 1.3, which {newer[0]} offers",
            "Take --stack openssl, or clients of TLS 1.2 such as --client tls12-only.",
        )


def _check_pem(name: str, path: str, mark: str) -> None:
    shown = printable(path)
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise UsageError(f"{name}: {shown}: {reason}", UNREADABLE) from None
    if b"-----BEGIN " not in text or mark.encode() not in text:
        what = mark.removesuffix("-----").lower()
        raise UsageError(
            f"{name}: {shown}: holds no {what} in PEM",
            f"A PEM file has a line that begins with -----BEGIN and ends with {mark}",
        )


# Who keeps the port: the choice between closing politely (FIN) and at once (RST).
#
# Whoever closes first keeps the pair of addresses and ports for 60 seconds (TIME_WAIT, RFC 9293
# section 3.6.1; Linux fixes it at 60). So closing by FIN spends a local port a minute for each
# handshake, per local address and destination. `auto` closes by FIN while what is spent in a minute
# stays below half of the ports: the other half is left to other programs, to chance (the kernel
# finds the last free ports slowly) and to the run just before this one.

TIME_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Closing:
    """How connections are closed, and why."""

    close: Close
    note: str


def closing_of(asked: Close, load: Load, ports: int) -> Closing:
    """Decide how connections are closed.

    Args:
        asked: by the user; only `auto` is decided here.
        load: of the run.
        ports: local ports in all: per source and destination, times sources, times destinations.
    """
    spent = ports_spent(load)
    fits = spent is not None and spent <= ports // 2
    close = (Close.FIN if fits else Close.RST) if asked is Close.AUTO else asked
    needed = "without end" if spent is None else f"{spent:,}"
    arithmetic = f"FIN would keep {needed} of {ports:,} local ports for {TIME_WAIT_S} s"
    most = load.concurrency + held_open(load)
    if most > ports:
        arithmetic += f"; only {ports:,} of {most:,} can be open at once: local-ports"
    if close is Close.RST:
        return Closing(close, f"closes by RST, the target sees resets after success; {arithmetic}")
    if fits:
        return Closing(close, f"closes by FIN; that keeps {spent:,} of {ports:,} local ports")
    return Closing(close, f"closes by FIN as asked, though local ports may run out; {arithmetic}")


def ports_spent(load: Load) -> int | None:
    """Return how many ports the busiest minute keeps; None: nothing bounds it."""
    by_rate = None if load.rate is None else math.ceil(load.rate * TIME_WAIT_S) + load.concurrency
    bounds = [bound for bound in (load.count, by_rate) if bound is not None]
    if load.rate is not None and load.duration_s is not None:
        bounds.append(math.ceil(load.rate * load.duration_s))
    return min(bounds) if bounds else None
