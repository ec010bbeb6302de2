"""What a TLS stack leaves out of, or adds to, the hello that a client profile asks for.

A stack that silently sends something else would make the run a lie, so the first ClientHello of
each factory is read back and compared with the profile. Only what can choose another certificate
or another path is compared: versions, suites, groups, key shares, signature algorithms, ALPN. Not
compared are the order of extensions, padding, GREASE, certificate compression, the ticket
extension and, because BoringSSL has its own, the order of the TLS 1.3 suites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from stress.handshake.hello import SUPPORTED_VERSIONS, ClientHello, is_grease
from stress.handshake.names import cipher_name, group_name, signature_name, version_name
from stress.model.client import Client

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
