"""Chooses the TLS library: from a client profile to a factory of machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from stress.errors import UsageError
from stress.handshake.flight import KeyLog
from stress.handshake.hello import (
    STATUS_REQUEST,
    SUPPORTED_VERSIONS,
    ClientHello,
    is_grease,
    read_hello,
)
from stress.handshake.machine import Engine, Exchange, Machine, MachineFactory, Session
from stress.handshake.names import cipher_name, group_name, signature_name, version_name
from stress.model.client import Client, Stack

# What a TLS stack leaves out of, or adds to, the hello that a client profile asks for.
#
# A stack that silently sends something else would make the run a lie, so the first ClientHello of
# each factory is read back and compared with the profile. Only what can choose another certificate
# or another path is compared: versions, suites, groups, key shares, signature algorithms, ALPN. Not
# compared are the order of extensions, padding, GREASE, certificate compression, the ticket
# extension and, because BoringSSL has its own, the order of the TLS 1.3 suites.

_SIGNALS: Final = frozenset({0x00FF, 0x5600})
"""Suites that are signals (RFC 5746, RFC 7507); a stack adds them as it must."""
_TLS_1_3_SUITES: Final = 0x13

Name = Callable[[int], str]


def shortfall(client: Client, hello: ClientHello) -> tuple[str, ...]:
    """Says in words where the hello differs from the profile; empty when it does not.

    Lists that the profile leaves empty are the stack's own and are not compared.
    """
    parts: tuple[tuple[str, tuple[int, ...], tuple[int, ...], Name], ...] = (
        ("versions", _visible(client, hello), hello.versions, version_name),
        ("cipher suites", client.cipher_suites, hello.cipher_suites, cipher_name),
        ("groups", client.groups, hello.groups, group_name),
        ("key shares", client.key_shares, hello.key_shares, group_name),
        (
            "signature algorithms",
            client.signature_algorithms,
            hello.signature_algorithms,
            signature_name,
        ),
    )
    found = [
        difference
        for part, asked, sent, name in parts
        if asked
        for difference in _compare(part, _plain(asked), _plain(sent), name)
    ]
    if client.alpn != hello.alpn:
        found.append(f"ALPN is {', '.join(hello.alpn) or 'not sent'}")
    return tuple(found)


def _visible(client: Client, hello: ClientHello) -> tuple[int, ...]:
    """The versions asked for, as far as this hello can show them.

    Without the extension it names the best alone; which older ones would be taken is not said.
    """
    listed = hello.body(SUPPORTED_VERSIONS) is not None
    return client.versions if listed else (max(client.versions),)


def _plain(numbers: Iterable[int]) -> tuple[int, ...]:
    """Without GREASE, signals and repetitions; TLS 1.3 suites sorted."""
    plain = dict.fromkeys(n for n in numbers if not is_grease(n) and n not in _SIGNALS)
    newer = sorted(number for number in plain if number >> 8 == _TLS_1_3_SUITES)
    return (*newer, *(number for number in plain if number >> 8 != _TLS_1_3_SUITES))


def _compare(part: str, asked: tuple[int, ...], sent: tuple[int, ...], name: Name) -> Iterable[str]:
    missing = [name(number) for number in asked if number not in sent]
    added = [name(number) for number in sent if number not in asked]
    if missing:
        yield f"{part} without {', '.join(missing)}"
    if added:
        yield f"{part} with {', '.join(added)} added"
    if not missing and not added and asked != sent:
        yield f"{part} in another order"


_DRAIN_EVERY: Final = 1024
"""Connections after which the key log's file is emptied, so that it stays about 1 MB."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client shows when a server asks for its certificate."""

    certificate: Path
    """PEM, the client's own certificate first."""
    key: Path
    """PEM of its private key, without a password."""


class _Factory:
    """Makes machines from one context."""

    __slots__ = ("_credentials", "_engine", "_key_log", "_made", "_versions")

    def __init__(
        self,
        engine: Callable[[Session | None], Engine],
        versions: tuple[int, ...],
        *,
        credentials: bool,
        key_log: KeyLog | None,
    ) -> None:
        self._engine = engine
        self._versions = versions
        self._credentials = credentials
        self._key_log = key_log
        self._made = 0

    def machine(self, session: Session | None = None) -> Machine:
        """Makes a fresh machine, which offers a session or not."""
        key_log = self._key_log
        if key_log is not None:
            self._made += 1
            if self._made % _DRAIN_EVERY == 0:
                key_log.drain()
        return Exchange(
            self._engine(session),
            self._versions,
            credentials=self._credentials,
            key_log=key_log,
            offers=session is not None,
        )


def stack_for(
    client: Client,
    stack: Stack,
    *,
    server_name: str | None,
    credentials: Credentials | None = None,
    key_log: KeyLog | None = None,
) -> MachineFactory:
    """Makes the factory for one client profile; one per process, it holds the TLS context.

    Args:
        client: the profile.
        stack: which library speaks.
        server_name: the name to send as SNI; None or an address literal sends none.
        credentials: the client's own certificate, for mutual TLS.
        key_log: keeps the secrets, for evidence and to see an encrypted flight that failed.

    Raises:
        UsageError: the stack cannot speak the profile (the message says which part), the name
            cannot be sent, or the PEM files are bad.
    """
    factory = _factory(client, stack, server_name, credentials, key_log)
    differences = shortfall(client, read_hello(factory.machine().begin().send))
    if differences:
        other = Stack.OPENSSL if stack is Stack.BORINGSSL else Stack.BORINGSSL
        raise UsageError(
            f"client {client.name!r} cannot be spoken by {stack}: {differences[0]}",
            hint="; ".join((*differences[1:], f"take --stack {other}, or change the profile")),
        )
    return factory


def tls_flags(client: Client, stack: Stack) -> str:
    """Tells what is set in a stack's context for a client: kept with a run, defaults change.

    Raises:
        UsageError: the stack is not installed, or cannot speak the profile.
    """
    if stack is Stack.BORINGSSL:
        with _boringssl():
            from stress.handshake.boringssl import boring_context, boring_flags  # noqa: PLC0415
        return boring_flags(boring_context(client))
    from stress.handshake.openssl import open_context, open_flags  # noqa: PLC0415 heavy

    return open_flags(open_context(client))


def spoken_hello(client: Client, stack: Stack, *, server_name: str | None) -> ClientHello:
    """Makes the hello that a stack sends when asked for a profile, also when it is another one.

    Raises:
        UsageError: the stack refuses a part of the profile outright.
    """
    factory = _factory(client, stack, server_name, None, None)
    return read_hello(factory.machine().begin().send)


def _factory(
    client: Client,
    stack: Stack,
    server_name: str | None,
    credentials: Credentials | None,
    key_log: KeyLog | None,
) -> _Factory:
    name = _sendable(server_name) if client.server_name else None
    files = None if credentials is None else (credentials.certificate, credentials.key)
    engine = _engines(client, stack, name, files, key_log)
    return _Factory(engine, client.versions, credentials=files is not None, key_log=key_log)


def _engines(
    client: Client,
    stack: Stack,
    name: str | None,
    files: tuple[Path, Path] | None,
    key_log: KeyLog | None,
) -> Callable[[Session | None], Engine]:
    """What makes a fresh engine of the stack; the library is imported only when it is asked for."""
    if stack is Stack.BORINGSSL:
        with _boringssl():
            from stress.handshake.boringssl import BoringEngine, boring_context  # noqa: PLC0415
        boring = boring_context(client, files, key_log)
        return lambda session: BoringEngine(boring, name, session)
    from stress.handshake.openssl import OpenEngine, open_context  # noqa: PLC0415 heavy

    context = open_context(client, files, key_log)
    staple = STATUS_REQUEST in client.extensions
    return lambda session: OpenEngine(context, name, session, staple=staple)


@contextmanager
def _boringssl() -> Iterator[None]:
    """Around an import of the stack.

    Raises:
        UsageError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            "the stack boringssl is not installed: there is no module utls",
            hint="pip install utls, or take --stack openssl",
        ) from error


def _sendable(name: str | None) -> str | None:
    """The name as it stands in SNI (RFC 6066 section 3): ASCII, no trailing dot, no address."""
    if name is None or _is_address(name):
        return None
    name = name.removesuffix(".")
    labels = name.split(".")
    if (
        not name.isascii()
        or "\0" in name
        or len(name) > 253
        or not all(0 < len(each) < 64 for each in labels)
    ):
        raise UsageError(
            f"{name[:60]!r} cannot be sent as server name",
            hint="Give it as in DNS: ASCII labels of 1 to 63 characters (xn-- for others).",
        )
    return name


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
