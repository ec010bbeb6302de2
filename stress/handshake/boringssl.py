"""BoringSSL through `utls`: the only module that uses it.

* Contexts are made with the public API of `utls`, which resembles `ssl`; connections with the layer
  below it (`utls._utls`), because the public one costs 30 us per handshake
  (docs/decisions/0018-below-the-face.md).
* Certificates are not judged here, so verification is off. BoringSSL still checks the server's
  signature over the key exchange, and still rejects a certificate that it cannot parse.
* An error is a text, `error:10000410:SSL routines:OPENSSL_internal:SSLV3_ALERT_...`, entries joined
  by `; `, deepest cause first. The first number holds the library (8 bits) and the reason; reasons
  of the SSL library from 1000 on are received alerts (ssl.h, SSL_AD_REASON_OFFSET).
* `utls` keeps no TLS 1.3 tickets: its session has the secret but not the ticket, so a later
  connection cannot use it. Up to TLS 1.2 it has everything.
* A fingerprint replaces the lists of the hello; without one, groups and suites are BoringSSL's own.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import utls
from utls import _utls as core

from stress.errors import UsageError
from stress.handshake.keylog import KeyLog
from stress.handshake.machine import CLOSE_NOTIFY, Credentials, Failure, Session, State, spell
from stress.model.plan import Client

_VERSIONS: Final = {0x0303: utls.TLSVersion.TLSv1_2, 0x0304: utls.TLSVersion.TLSv1_3}
_MLKEM: Final = 4588
_CURVES: Final = {29: "X25519", 23: "P-256", 24: "P-384", 25: "P-521", _MLKEM: "X25519MLKEM768"}
_COMPRESSIONS: Final = frozenset({"brotli"})
_ENTRY: Final = re.compile(r"error:([0-9a-f]{8}):([^:]*):[^:]*:([^;]+)")
_SSL_LIBRARY: Final = 0x10
_ALERT_OFFSET: Final = 1000
_WANTS_MORE: Final = "WantRead"
"""The kind of error that only asks for more bytes."""
_READ: Final = 4096
"""Bytes of application data discarded at a time; the library zeroes a buffer of this size first."""


@dataclass(slots=True, eq=False)
class BoringEngine:
    """One BoringSSL connection on memory buffers."""

    _incoming: core.MemoryBio
    _outgoing: core.MemoryBio
    _tls: core.Connection

    def advance(self, data: bytes) -> State | Failure:
        """Takes bytes and continues the handshake."""
        if data:
            self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except core.CoreError as error:
            return State.WAITING if error.args[0] == _WANTS_MORE else _failure(error)
        return State.FINISHED

    def after(self, data: bytes, into: bytearray | None = None) -> Failure | None:
        """Takes bytes after the handshake; appends what they say, or discards it."""
        if data:
            self._incoming.write(data)
        elif not self._incoming.pending:
            return None
        try:
            while chunk := self._tls.read(_READ):
                if into is not None:
                    into += chunk
        except core.CoreError as error:
            return None if error.args[0] == _WANTS_MORE else _failure(error)
        return Failure((), CLOSE_NOTIFY)

    def output(self) -> bytes:
        """Takes what is queued for the server."""
        return self._outgoing.read()

    def chain(self) -> tuple[bytes, ...]:
        """DER of the server's certificates, leaf first."""
        return tuple(self._tls.peer_chain_der())

    def staple(self) -> bytes | None:
        """Returns None: `utls` does not expose it."""

    def alpn(self) -> str | None:
        """The negotiated protocol."""
        return self._tls.selected_alpn()

    def resumed(self) -> bool:
        """Whether a session was resumed."""
        return self._tls.session_reused()

    def session(self) -> Session | None:
        """What a later connection may offer; nothing in TLS 1.3."""
        session = None if self._tls.version() == "TLSv1.3" else self._tls.session()
        return None if session is None else Session(session, reusable=True)

    def write(self, data: bytes) -> None:
        """Encrypts application data."""
        with suppress(core.CoreError):  # the connection is over, which the next read says
            self._tls.write(data)

    def ticket(self) -> bytes | None:
        """Returns None: `utls` does not expose it."""

    def close(self) -> bytes:
        """Makes a close_notify."""
        with suppress(core.CoreError):  # do not wait for the server's close_notify
            self._tls.shutdown()
        return self._outgoing.read()


class BoringContext:
    """The settings of BoringSSL for one client."""

    def __init__(
        self,
        client: Client,
        server_name: str | None = None,
        credentials: Credentials | None = None,
        key_log: KeyLog | None = None,
    ) -> None:
        """Makes the context.

        Raises:
            UsageError: BoringSSL cannot express this profile, or the PEM files are bad.
        """
        self._server_name = server_name
        self.tls = context = utls.SSLContext(utls.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = utls.CERT_NONE
        context.minimum_version = _VERSIONS[min(client.versions)]
        context.maximum_version = _VERSIONS[max(client.versions)]
        if credentials is not None:
            try:
                context.load_cert_chain(credentials.certificate, credentials.key)
            except (OSError, ValueError) as error:
                raise credentials.unusable(error) from error
        if key_log is not None:
            context.keylog_filename = key_log.path
        lists = (client.cipher_suites, client.signature_algorithms, client.extensions)
        curves = [_CURVES.get(group, "") for group in client.groups]
        shares = client.key_shares in {(), client.groups[:1]}
        spoken = bool(curves) and all(curves) and shares and client.groups[0] != _MLKEM
        chosen = bool(client.groups or client.key_shares)
        if any((*lists, client.compress_certificate, client.grease)) or (chosen and not spoken):
            self._set_fingerprint(client)
            return
        if chosen:  # the groups alone say it all; a fingerprint costs 14 us per handshake
            context.set_ecdh_curve(":".join(curves))
        if client.alpn:
            context.set_alpn_protocols(client.alpn)

    def connect(self, session: Session | None = None) -> BoringEngine:
        """Makes a connection, which offers the session if there is one."""
        offered = None if session is None else session.handle
        assert offered is None or isinstance(offered, core.Session)
        incoming, outgoing = core.MemoryBio(), core.MemoryBio()
        tls = self.tls._ctx.wrap_bio(incoming, outgoing, self._server_name, offered)  # noqa: SLF001
        return BoringEngine(incoming, outgoing, tls)

    def flags(self) -> str:
        """How it is set up besides its hello, as the library shows it."""
        tls = self.tls
        return (
            f"verify_mode={int(tls.verify_mode)} check_hostname={int(tls.check_hostname)}"
            f" options={int(tls.options):#x} verify_flags={int(tls.verify_flags):#x}"
        )

    def _set_fingerprint(self, client: Client) -> None:
        compressions = [name for name in client.compress_certificate if name in _COMPRESSIONS]
        try:
            self.tls.set_fingerprint(
                utls.Fingerprint(
                    cipher_suites=client.cipher_suites,
                    extensions_order=client.extensions,  # which ones, not where: it shuffles them
                    supported_groups=client.groups,
                    key_shares=client.key_shares,
                    signature_algorithms=dict.fromkeys(client.signature_algorithms),
                    alpn=client.alpn,
                    compress_certificate=compressions,
                    grease=client.grease,
                )
            )
            # Subtle: some of the lists are checked only when a connection is made.
            self.connect()
        except (utls.SSLError, core.CoreError, ValueError, TypeError, OverflowError) as error:
            reason = str(error)
            if isinstance(error, (utls.SSLError, core.CoreError)):
                reason = ", ".join(dict.fromkeys(_failure(error).reasons))
            raise UsageError(
                f"client {client.name!r} cannot be expressed by BoringSSL: {reason}",
                hint="Use --stack openssl, or leave that out and name it in `cannot-express`.",
            ) from error


def _failure(error: utls.SSLError | core.CoreError) -> Failure:
    """Translates BoringSSL's error into our spelling."""
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
