"""BoringSSL through `utls`: the only module that touches it.

What is true and what is tricky:

* Contexts are made by `utls`' face, which is shaped like `ssl`; connections by the layer below it
  (`utls._utls`), because the face costs 30 us a handshake (docs/decisions/0018-below-the-face.md).

* Certificates are not judged here, so verification is off; BoringSSL still checks the server's
  signature over the key exchange, and still refuses a certificate that it cannot parse.
* A failure is a text, `error:10000410:SSL routines:OPENSSL_internal:SSLV3_ALERT_...`, entries
  joined by `; `, deepest cause first. The first number holds library (8 bits) and reason; reasons
  of the SSL library from 1000 on are received alerts (ssl.h, SSL_AD_REASON_OFFSET).
* Of TLS 1.3 `utls` keeps no tickets: its session has the secret and not the ticket, and is of no
  use to a later connection. Up to TLS 1.2 it has all.
* A fingerprint replaces the hello's lists; without one, groups and suites are BoringSSL's own.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import utls
from utls import _utls as core

from stress.errors import UsageError
from stress.handshake.failure import CLOSE_NOTIFY, Failure, spell
from stress.handshake.flight import KeyLog
from stress.handshake.machine import Progress, Session
from stress.model.client import Client

_VERSIONS: Final = {0x0303: utls.TLSVersion.TLSv1_2, 0x0304: utls.TLSVersion.TLSv1_3}
_MLKEM: Final = 4588
_CURVES: Final = {29: "X25519", 23: "P-256", 24: "P-384", 25: "P-521", _MLKEM: "X25519MLKEM768"}
_COMPRESSIONS: Final = frozenset({"brotli"})
_ENTRY: Final = re.compile(r"error:([0-9a-f]{8}):([^:]*):[^:]*:([^;]+)")
_SSL_LIBRARY: Final = 0x10
_ALERT_OFFSET: Final = 1000
_READ: Final = 4096
"""Bytes of application data taken, and dropped, at a time; the library clears as many first."""


class BoringEngine:
    """One BoringSSL connection on memory buffers."""

    __slots__ = ("_incoming", "_outgoing", "_tls")

    def __init__(
        self, context: utls.SSLContext, server_name: str | None, session: Session | None = None
    ) -> None:
        """Makes a connection, which offers a session or not."""
        self._incoming = core.MemoryBio()
        self._outgoing = core.MemoryBio()
        offered = None if session is None else session.handle
        assert offered is None or isinstance(offered, core.Session)
        self._tls = context._ctx.wrap_bio(self._incoming, self._outgoing, server_name, offered)  # noqa: SLF001

    def advance(self, data: bytes) -> Progress | Failure:
        """Takes bytes and goes on with the handshake."""
        if data:
            self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except core.CoreError as error:
            return Progress.WANTS if _wants_more(error) else _failure(error)
        return Progress.DONE

    def after(self, data: bytes) -> Failure | None:
        """Takes bytes after the handshake, drops what they say."""
        self._incoming.write(data)
        try:
            while self._tls.read(_READ):
                pass
        except core.CoreError as error:
            return None if _wants_more(error) else _failure(error)
        return Failure((), CLOSE_NOTIFY)

    def unread(self) -> bool:
        """Whether bytes came behind the handshake's last."""
        return bool(self._incoming.pending)

    def output(self) -> bytes:
        """Takes what is queued for the server."""
        return self._outgoing.read()

    def chain(self) -> tuple[bytes, ...]:
        """DER of the server's certificates, leaf first."""
        return tuple(self._tls.peer_chain_der())

    def staple(self) -> bytes | None:
        """Says nothing: `utls` has no way to it."""

    def alpn(self) -> str | None:
        """The protocol agreed upon."""
        return self._tls.selected_alpn()

    def resumed(self) -> bool:
        """Whether a session was resumed."""
        return self._tls.session_reused()

    def session(self) -> Session | None:
        """What a later connection may offer; nothing in TLS 1.3."""
        session = None if self._tls.version() == "TLSv1.3" else self._tls.session()
        return None if session is None else Session(session, reusable=True)

    def close(self) -> bytes:
        """Makes a close_notify."""
        with suppress(core.CoreError):  # the server's own close_notify is not waited for
            self._tls.shutdown()
        return self._outgoing.read()


def boring_context(
    client: Client,
    credentials: tuple[Path, Path] | None = None,
    key_log: KeyLog | None = None,
) -> utls.SSLContext:
    """Makes the context that speaks like a client.

    Raises:
        UsageError: BoringSSL cannot speak this profile, or the PEM files are bad.
    """
    context = utls.SSLContext(utls.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = utls.CERT_NONE
    context.minimum_version, context.maximum_version = _version_range(client)
    if credentials is not None:
        _load(context, *credentials)
    if key_log is not None:
        context.keylog_filename = key_log.path
    _shape_hello(context, client)
    return context


def boring_flags(context: utls.SSLContext) -> str:
    """What a context is set to besides its hello, in the library's own words and numbers."""
    return (
        f"verify_mode={int(context.verify_mode)} check_hostname={int(context.check_hostname)}"
        f" options={int(context.options):#x} verify_flags={int(context.verify_flags):#x}"
    )


def _version_range(client: Client) -> tuple[utls.TLSVersion, utls.TLSVersion]:
    unknown = [version for version in client.versions if version not in _VERSIONS]
    if unknown or not client.versions:
        offered = ", ".join(f"0x{version:04x}" for version in client.versions) or "none"
        raise UsageError(
            f"client {client.name!r}: BoringSSL speaks TLS 1.2 and 1.3 only, not {offered}",
            hint="Take --stack openssl, or leave the old versions out of `versions`.",
        )
    return _VERSIONS[min(client.versions)], _VERSIONS[max(client.versions)]


def _load(context: utls.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"client certificate {certificate} with key {key}: {error}",
            hint="Both must be PEM files; the key must fit the first certificate.",
        ) from error


def _shape_hello(context: utls.SSLContext, client: Client) -> None:
    """Sets the lists of the hello, where the profile gives any."""
    lists = (client.cipher_suites, client.signature_algorithms, client.extensions)
    if any((*lists, client.compress_certificate, client.grease)) or not _set_groups(
        context, client
    ):
        _set_fingerprint(context, client)
    elif client.alpn:
        context.set_alpn_protocols(client.alpn)


def _set_groups(context: utls.SSLContext, client: Client) -> bool:
    """Sets the groups alone where that says it all; a fingerprint costs 14 us per handshake."""
    curves = [_CURVES.get(group, "") for group in client.groups]
    shares = client.key_shares in {(), client.groups[:1]}
    if curves and all(curves) and shares and client.groups[0] != _MLKEM:
        context.set_ecdh_curve(":".join(curves))
        return True
    return not client.groups and not client.key_shares


def _set_fingerprint(context: utls.SSLContext, client: Client) -> None:
    try:
        context.set_fingerprint(
            utls.Fingerprint(
                cipher_suites=client.cipher_suites,
                extensions_order=client.extensions,  # which, not where: it shuffles them
                supported_groups=client.groups,
                key_shares=client.key_shares,
                signature_algorithms=dict.fromkeys(client.signature_algorithms),
                alpn=client.alpn,
                compress_certificate=[
                    name for name in client.compress_certificate if name in _COMPRESSIONS
                ],
                grease=client.grease,
            )
        )
        # Subtle: some of the lists are looked at only when a connection is made.
        BoringEngine(context, None)
    except (utls.SSLError, core.CoreError) as error:
        reasons = dict.fromkeys(_failure(error).reasons)
        raise _unspeakable(client, ", ".join(reasons)) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise _unspeakable(client, str(error)) from error


def _unspeakable(client: Client, reason: str) -> UsageError:
    return UsageError(
        f"client {client.name!r} cannot be spoken by BoringSSL: {reason}",
        hint="Take --stack openssl, or leave that out and name it in `cannot-express`.",
    )


def _wants_more(error: core.CoreError) -> bool:
    """Whether it is only the call for more bytes."""
    return bool(error.args[0] == "WantRead")


def _failure(error: utls.SSLError | core.CoreError) -> Failure:
    """Brings BoringSSL's words into our spelling."""
    if error.args[0] == "ZeroReturn":
        return Failure((), CLOSE_NOTIFY)
    text = str(error.args[-1]) if error.args else ""
    entries = _ENTRY.findall(text)
    alert = None
    for number, _, _ in entries:
        code = int(number, 16)
        reason = code & 0xFFF
        if code >> 24 == _SSL_LIBRARY and _ALERT_OFFSET <= reason <= _ALERT_OFFSET + 255:
            alert = reason - _ALERT_OFFSET
    return Failure(tuple(spell(library, words) for _, library, words in entries) or (text,), alert)
