"""Chooses the TLS library: from a client profile to a factory of handshake machines.

A stack that silently sends something else than the profile says would make the run a lie. So the
first ClientHello of each factory is read back and compared with the profile (`shortfall`). Only
what can select another certificate or another path is compared: versions, suites, groups, key
shares, signature algorithms, ALPN. Not compared are the order of extensions, padding, GREASE,
certificate compression, the ticket extension and the order of the TLS 1.3 suites, because
BoringSSL has its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stress.codes.names import cipher_name, group_name, signature_name, version_name
from stress.errors import UsageError
from stress.handshake.hello import SUPPORTED_VERSIONS, ClientHello, is_grease, read_hello
from stress.handshake.keylog import KeyLog
from stress.handshake.machine import Credentials, HandshakeMachine, MachineFactory, Session
from stress.model.plan import Client, Plan, Stack

if TYPE_CHECKING:
    from stress.handshake.boringssl import BoringContext
    from stress.handshake.openssl import OpenContext

_SIGNALS: Final = frozenset({0x00FF, 0x5600})
"""Signalling suites (RFC 5746, RFC 7507), which a stack adds as it must."""
_TLS_1_3_SUITES: Final = 0x13
_VERSIONS: Final[Mapping[Stack, tuple[frozenset[int], str, str]]] = {
    Stack.BORINGSSL: (
        frozenset({0x0303, 0x0304}),
        "BoringSSL speaks TLS 1.2 and 1.3 only",
        "Use --stack openssl, or leave the old versions out of `versions`.",
    ),
    Stack.OPENSSL: (
        frozenset({0x0301, 0x0302, 0x0303, 0x0304}),
        "OpenSSL speaks TLS 1.0 to 1.3",
        "Give wire numbers in `versions`, such as 0x0303 for TLS 1.2.",
    ),
}
"""What each library speaks, in numbers and in words, and a hint for whoever wants more."""
_DRAIN_EVERY: Final = 1024
"""Connections after which the key log's file is emptied, so that it stays about 1 MB."""


def shortfall(client: Client, hello: ClientHello) -> tuple[str, ...]:
    """Describes where the hello differs from the profile; empty if it does not.

    Lists that the profile leaves empty are the stack's own and are not compared.
    """
    # Without its extension a hello names only the best version, not the older ones it accepts.
    listed = hello.body(SUPPORTED_VERSIONS) is not None
    versions = client.versions if listed else (max(client.versions),)
    signatures = client.signature_algorithms, hello.signature_algorithms
    found: list[str] = []
    for part, wanted, sent, name in (
        ("versions", versions, hello.versions, version_name),
        ("cipher suites", client.cipher_suites, hello.cipher_suites, cipher_name),
        ("groups", client.groups, hello.groups, group_name),
        ("key shares", client.key_shares, hello.key_shares, group_name),
        ("signature algorithms", *signatures, signature_name),
    ):
        if not wanted:
            continue
        expected, actual = _plain(wanted), _plain(sent)
        missing = [name(number) for number in expected if number not in actual]
        added = [name(number) for number in actual if number not in expected]
        if missing:
            found.append(f"{part} without {', '.join(missing)}")
        if added:
            found.append(f"{part} with {', '.join(added)} added")
        if not missing and not added and expected != actual:
            found.append(f"{part} in another order")
    if client.alpn != hello.alpn:
        found.append(f"ALPN is {', '.join(hello.alpn) or 'not sent'}")
    return tuple(found)


def _plain(numbers: Iterable[int]) -> tuple[int, ...]:
    """Without GREASE, signals and repetitions; TLS 1.3 suites sorted."""
    plain = dict.fromkeys(n for n in numbers if not is_grease(n) and n not in _SIGNALS)
    newer = sorted(number for number in plain if number >> 8 == _TLS_1_3_SUITES)
    return (*newer, *(number for number in plain if number >> 8 != _TLS_1_3_SUITES))


@dataclass(slots=True)
class _Factory:
    """Makes machines from one context."""

    context: BoringContext | OpenContext
    versions: tuple[int, ...]
    credentials: bool
    key_log: KeyLog | None
    made: int = 0

    def machine(self, session: Session | None = None, *, keyed: bool = False) -> HandshakeMachine:
        """Makes a fresh machine, which offers the session if there is one."""
        del keyed  # they are logged where there is a log
        engine, key_log = self.context.connect(session), self.key_log
        if key_log is not None:
            self.made += 1
            if self.made % _DRAIN_EVERY == 0:
                key_log.drain()
        offered = () if session is None else engine.chain()
        return HandshakeMachine(engine, self.versions, self.credentials, key_log, offered)


def stack_for(
    client: Client,
    stack: Stack,
    *,
    server_name: str | None,
    credentials: Credentials | None = None,
    key_log: KeyLog | None = None,
) -> MachineFactory:
    """Makes the factory for one client profile; one per process, because it holds the TLS context.

    Args:
        client: the profile.
        stack: which library to use.
        server_name: the name to send as SNI; None or an address literal sends none.
        credentials: the client's own certificate, for mutual TLS.
        key_log: keeps the secrets, for evidence and to read an encrypted flight that failed.

    Raises:
        UsageError: the stack cannot send the profile (the message says which part), the name cannot
            be sent, or the PEM files are bad.
    """
    name = _sendable(server_name) if client.server_name else None
    context = _library(client, stack)(client, name, credentials, key_log)
    differences = shortfall(client, _first_hello(context))
    if differences:
        other = Stack.OPENSSL if stack is Stack.BORINGSSL else Stack.BORINGSSL
        raise UsageError(
            f"client {client.name!r} cannot be expressed by {stack}: {differences[0]}",
            hint="; ".join((*differences[1:], f"use --stack {other}, or change the profile")),
        )
    return _Factory(context, client.versions, credentials is not None, key_log)


def factories(plan: Plan, key_log: KeyLog | None = None) -> tuple[MachineFactory, ...]:
    """Makes the TLS contexts of the plan's clients, once for the whole process.

    Args:
        plan: whose clients.
        key_log: where they write their secrets; None: nowhere.

    Raises:
        UsageError: the stack cannot speak a client, or the client certificate cannot be used.
    """
    credentials = None
    if plan.client_certificate is not None:
        certificate = Path(plan.client_certificate)
        credentials = Credentials(certificate, Path(plan.client_key or certificate))
    return tuple(
        stack_for(
            client,
            plan.stack_of(client),
            server_name=plan.server_name,
            credentials=credentials,
            key_log=key_log,
        )
        for client in plan.clients
    )


def stack_speaking(client: Client) -> Stack:
    """The library that the profile names, else the first that can send its hello.

    Raises:
        UsageError: none can; it says why for each.
    """
    if client.stack is not None:
        return client.stack
    problems: list[str] = []
    for stack in Stack:
        try:
            stack_for(client, stack, server_name=None)
        except UsageError as error:
            problems.append(error.message)
        else:
            return stack
    raise UsageError(
        f"client {client.name!r} cannot be sent by any TLS library here", hint="; ".join(problems)
    )


def tls_flags(client: Client, stack: Stack) -> str:
    """What is set in a stack's context for a client: kept with a run, because defaults change.

    Raises:
        UsageError: the stack is not installed, or cannot express the profile.
    """
    return _library(client, stack)(client).flags()


def spoken_hello(client: Client, stack: Stack, *, server_name: str | None) -> ClientHello:
    """The hello that a stack sends for a profile, even if it differs from the profile.

    Raises:
        UsageError: the stack rejects a part of the profile outright.
    """
    name = _sendable(server_name) if client.server_name else None
    return _first_hello(_library(client, stack)(client, name))


def _first_hello(context: BoringContext | OpenContext) -> ClientHello:
    engine = context.connect()
    engine.advance(b"")
    return read_hello(engine.output())


def _library(client: Client, stack: Stack) -> type[BoringContext | OpenContext]:
    """The library of a stack, imported only when it is used.

    Raises:
        UsageError: it is not installed, or does not speak the client's versions.
    """
    versions, speaks, hint = _VERSIONS[stack]
    if not client.versions or not versions.issuperset(client.versions):
        offered = ", ".join(f"0x{version:04x}" for version in client.versions) or "none"
        raise UsageError(f"client {client.name!r}: {speaks}, not {offered}", hint)
    if stack is Stack.OPENSSL:
        from stress.handshake.openssl import OpenContext  # noqa: PLC0415 heavy

        return OpenContext
    try:
        from stress.handshake.boringssl import BoringContext  # noqa: PLC0415 heavy
    except ModuleNotFoundError as error:
        raise UsageError(
            "the stack boringssl is not installed: there is no module utls",
            hint="pip install utls, or use --stack openssl",
        ) from error
    return BoringContext


def _sendable(name: str | None) -> str | None:
    """The name as in SNI (RFC 6066 section 3): ASCII, no address; a final dot is sent as given."""
    if name is None:
        return None
    with suppress(ValueError):
        ip_address(name)
        return None
    labels = name.removesuffix(".")
    plain = name.isascii() and "\0" not in name and len(labels) <= 253
    if not plain or not all(0 < len(label) < 64 for label in labels.split(".")):
        raise UsageError(
            f"{name[:60]!r} cannot be sent as server name",
            hint="Give it as in DNS: ASCII labels of 1 to 63 characters (xn-- for others).",
        )
    return name
