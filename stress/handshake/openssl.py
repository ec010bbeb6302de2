"""OpenSSL through pyOpenSSL's memory buffers: the only module that uses it.

* Verification is off here, too; OpenSSL checks the server's signature all the same.
* pyOpenSSL drops the numbers of OpenSSL's errors and keeps the texts. Those of received alerts have
  prefixes that differ between releases (`sslv3 alert handshake failure`,
  `tls alert handshake failure`, `tlsv1 unrecognized name`); the rest is the IANA name.
* A few calls have no method in pyOpenSSL; they go through the bindings that it uses itself.
* This OpenSSL is bundled with `cryptography`; it is not the one of the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from OpenSSL import SSL, crypto
from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _library

from stress.codes.catalog import alert_number
from stress.codes.names import cipher_name, group_name, signature_name
from stress.errors import UsageError
from stress.handshake.hello import STATUS_REQUEST
from stress.handshake.keylog import KeyLog
from stress.handshake.machine import CLOSE_NOTIFY, Credentials, Failure, Session, State, spell
from stress.model.plan import Client

_ALERT: Final = re.compile(r"(?:sslv3|tls|tlsv1|tlsv13) (?:alert )?(.+)")
_TLS_1_2: Final = 0x0303
_TLS_1_3: Final = 0x0304
_TLS_1_3_SUITES: Final = 0x13
_READ: Final = 65536
_TICKET: Final = 0xAA
"""Tag of the ticket in an encoded session: explicit, [10] (ssl_asn1.c)."""


@dataclass(slots=True, eq=False)
class OpenEngine:
    """One OpenSSL connection on memory buffers."""

    _tls: SSL.Connection
    _staple_requested: bool

    def advance(self, data: bytes) -> State | Failure:
        """Takes bytes and continues the handshake."""
        if data:
            self._tls.bio_write(data)
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return State.WAITING
        except SSL.Error as error:
            return _failure(error)
        return State.FINISHED

    def after(self, data: bytes, into: bytearray | None = None) -> Failure | None:
        """Takes bytes after the handshake; appends what they say, or discards it."""
        if data:
            self._tls.bio_write(data)
        try:
            while chunk := self._tls.recv(_READ):
                if into is not None:
                    into += chunk
        except SSL.WantReadError:
            return None
        except SSL.Error as error:
            return _failure(error)
        return Failure((), CLOSE_NOTIFY)

    def output(self) -> bytes:
        """Takes what is queued for the server."""
        chunks = []
        try:
            while True:
                chunks.append(self._tls.bio_read(_READ))
        except SSL.WantReadError:
            return b"".join(chunks)

    def chain(self) -> tuple[bytes, ...]:
        """DER of the server's certificates, leaf first."""
        chain = self._tls.get_peer_cert_chain() or ()
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in chain)

    def staple(self) -> bytes | None:
        """The stapled OCSP response; a resumption has none."""
        if not self._staple_requested or self.resumed():
            return None
        place = _ffi.new("unsigned char **")
        handle = self._tls._ssl  # noqa: SLF001 no method of its own
        length = _library.SSL_get_tlsext_status_ocsp_resp(handle, place)
        return bytes(_ffi.buffer(place[0], length)) if length > 0 else b""

    def alpn(self) -> str | None:
        """The negotiated protocol."""
        return self._tls.get_alpn_proto_negotiated().decode("ascii", "backslashreplace") or None

    def resumed(self) -> bool:
        """Whether a session was resumed."""
        return bool(_library.SSL_session_reused(self._tls._ssl))  # noqa: SLF001 no method of its own

    def session(self) -> Session | None:
        """What a later connection may offer."""
        with suppress(SSL.Error):
            self._tls.shutdown()  # without this close_notify OpenSSL invalidates the session
        session = self._tls.get_session()
        reusable = self._tls.get_protocol_version() < _TLS_1_3
        return None if session is None else Session(session, reusable)

    def write(self, data: bytes) -> None:
        """Encrypts application data."""
        with suppress(SSL.Error):  # the connection is over, which the next read says
            self._tls.send(data)

    def ticket(self) -> bytes | None:
        """The latest session ticket of TLS 1.3."""
        session = _library.SSL_get1_session(self._tls._ssl)  # noqa: SLF001 no method of its own
        try:
            size = _library.i2d_SSL_SESSION(session, _ffi.NULL)
            place = _ffi.new("unsigned char[]", size)
            _library.i2d_SSL_SESSION(session, _ffi.new("unsigned char **", place))
        finally:
            _library.SSL_SESSION_free(session)
        # It holds the ticket as an OCTET STRING under the tag [10]. OpenSSL wrote it itself, so it
        # is well-formed DER; the peer's certificate is an element, too.
        encoded = bytes(_ffi.buffer(place, size))
        _, position, _ = _element(encoded, 0)
        while position < len(encoded):
            tag, start, position = _element(encoded, position)
            if tag == _TICKET:
                _, start, _ = _element(encoded, start)
                return encoded[start:position] or None
        return None

    def close(self) -> bytes:
        """Makes a close_notify."""
        with suppress(SSL.Error):  # do not wait for the server's close_notify
            self._tls.shutdown()
        return self.output()


class OpenContext:
    """The settings of OpenSSL for one client."""

    def __init__(
        self,
        client: Client,
        server_name: str | None = None,
        credentials: Credentials | None = None,
        key_log: KeyLog | None = None,
    ) -> None:
        """Makes the context.

        Raises:
            UsageError: OpenSSL cannot express this profile, or the PEM files are bad.
        """
        self._server_name, self._staple = server_name, STATUS_REQUEST in client.extensions
        self.tls = context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_NONE)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_min_proto_version(min(client.versions))
        context.set_max_proto_version(max(client.versions))
        if not client.session_tickets:
            context.set_options(SSL.OP_NO_TICKET)
        self._shape_hello(client)
        if credentials is not None:
            try:
                context.use_certificate_chain_file(str(credentials.certificate))
                context.use_privatekey_file(str(credentials.key))
                context.check_privatekey()
            except SSL.Error as error:
                reason = ", ".join(_failure(error).reasons) or "cannot be read"
                raise credentials.unusable(reason) from error
        if key_log is not None:
            context.set_keylog_callback(lambda _, line: key_log.write(line))

    def connect(self, session: Session | None = None) -> OpenEngine:
        """Makes a connection that offers the session and requests a staple (status_request)."""
        tls = SSL.Connection(self.tls, None)
        if session is not None:
            assert isinstance(session.handle, SSL.Session)
            tls.set_session(session.handle)
        if self._staple:
            tls.request_ocsp()
        if self._server_name is not None:
            tls.set_tlsext_host_name(self._server_name.encode("ascii"))
        tls.set_connect_state()
        return OpenEngine(tls, self._staple)

    def flags(self) -> str:
        """How it is set up besides its hello, as the library shows it."""
        tls = self.tls
        return (
            f"verify_mode={tls.get_verify_mode()} options={tls.set_options(0):#x}"
            f" session_cache_mode={tls.get_session_cache_mode():#x}"
        )

    def _shape_hello(self, client: Client) -> None:
        """Sets the lists of the hello that the profile gives; OpenSSL takes IANA's names."""
        if client.alpn:
            self.tls.set_alpn_protos([name.encode("ascii") for name in client.alpn])
        newer = [number for number in client.cipher_suites if number >> 8 == _TLS_1_3_SUITES]
        older = [number for number in client.cipher_suites if number >> 8 != _TLS_1_3_SUITES]
        try:
            if newer:
                self.tls.set_tls13_ciphersuites(_joined(map(cipher_name, newer)))
            # Level 0 lets SHA-1 signatures and TLS 1.0 and 1.1 be offered; nothing here is trusted.
            if older or client.signature_algorithms or min(client.versions) < _TLS_1_2:
                suites = map(cipher_name, older) if older else ("DEFAULT",)
                self.tls.set_cipher_list(_joined((*suites, "@SECLEVEL=0")))
        except SSL.Error as error:
            raise _cannot_express(client, "cipher suites") from error
        # Subtle: these two have no method in pyOpenSSL; a bad list changes nothing and returns 0.
        handle = self.tls._context  # noqa: SLF001 see above
        shares = client.key_shares or client.groups[:1]
        groups = (
            f"*{group_name(each)}" if each in shares else group_name(each) for each in client.groups
        )
        if client.groups and not _library.SSL_CTX_set1_curves_list(handle, _joined(groups)):
            raise _cannot_express(client, "groups")
        signatures = _joined(map(signature_name, dict.fromkeys(client.signature_algorithms)))
        if signatures and not _library.SSL_CTX_set1_sigalgs_list(handle, signatures):
            raise _cannot_express(client, "signature algorithms")


def _element(data: bytes, position: int) -> tuple[int, int, int]:
    """The tag of the DER element at this position, where its content starts and where it ends."""
    start, size = position + 2, data[position + 1]
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[position + 2 : start])
    return data[position], start, start + size


def _joined(names: Iterable[str]) -> bytes:
    return ":".join(names).encode("ascii")


def _cannot_express(client: Client, part: str) -> UsageError:
    _library.ERR_clear_error()
    return UsageError(
        f"client {client.name!r} cannot be expressed by OpenSSL: it does not know all its {part}",
        hint="Leave out what it does not know and name it in `cannot-express`.",
    )


def _failure(error: SSL.Error) -> Failure:
    """Translates OpenSSL's error into our spelling."""
    if isinstance(error, SSL.ZeroReturnError):
        return Failure((), CLOSE_NOTIFY)
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else ()
    alert = None
    reasons = []
    for library, _, words in entries:
        named = _ALERT.fullmatch(words)
        if named:
            alert = alert_number(named[1].replace(" ", "_"))
        reasons.append(spell(library, words))
    return Failure(tuple(reasons), alert)
