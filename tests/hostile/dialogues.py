"""Hostile servers of the protocols that ask for TLS first: what each says before TLS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from stress.model.outcome import Stage
from stress.model.plan import StartTls
from tests.dialogues.conversations import GOOD, LAST
from tests.servers.crooked import House
from tests.servers.hostile import DRIP_S, Behaviour, drip, good, reset, wait

ASKING, HELLO, DONE = Stage.STARTTLS, Stage.CLIENT_HELLO, Stage.FINISHED
HAS_LINES = frozenset(StartTls) - {
    StartTls.LDAP,
    StartTls.POSTGRES,
    StartTls.MYSQL,
    StartTls.XMPP,
}
NO = {
    StartTls.SMTP: b"454 4.7.0 TLS not available\r\n",
    StartTls.LMTP: b"454 4.7.0 TLS not available\r\n",
    StartTls.IMAP: b"a2 NO no key\r\n",
    StartTls.POP3: b"-ERR no key\r\n",
    StartTls.FTP: b"431 no key\r\n",
    StartTls.LDAP: bytes.fromhex("300c02010178070a013404000400"),
    StartTls.POSTGRES: b"E\0\0\0\x0afull.\0",
    StartTls.MYSQL: b"\x0b\0\0\0\xff\x10\x04too many",
    StartTls.XMPP: b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>",
    StartTls.SIEVE: b'NO "no key"\r\n',
    StartTls.NNTP: b"580 no key\r\n",
}
WITHOUT = {
    StartTls.SMTP: (b"starttls", b"xstarttls"),
    StartTls.LMTP: (b"starttls", b"xstarttls"),
    StartTls.IMAP: (b"STARTTLS", b"IDLE"),
    StartTls.POP3: (b"STLS", b"UIDL"),
    StartTls.FTP: (b"234 ", b"502 "),
    StartTls.LDAP: (b"\x0a\x01\x00", b"\x0a\x01\x02"),
    StartTls.POSTGRES: (b"S", b"N"),
    StartTls.MYSQL: (b"\xfe\xff", b"\xfe\xf7"),
    StartTls.XMPP: (b"<starttls ", b"<bind "),
    StartTls.SIEVE: (b'"STARTTLS"', b'"NOTIFY"'),
    StartTls.NNTP: (b"STARTTLS", b"NEWNEWS"),
}
"""What makes of a server with TLS one without."""


@dataclass(frozen=True, slots=True)
class HostileDialogue:
    """A server, and what must become of an attempt at it."""

    protocol: StartTls
    name: str
    behave: Behaviour
    outcome: str
    stage: Stage = ASKING

    def __str__(self) -> str:
        return f"{self.protocol}, {self.name}"


def corpus() -> Iterator[HostileDialogue]:
    """Every hostile variant of every protocol, and for each protocol a healthy server."""
    for protocol in StartTls:
        for name, behave, outcome, *stage in _Server(protocol).variants():
            yield HostileDialogue(protocol, name, behave, outcome, *stage)


class _Server:
    """A server of one protocol, in all its moods."""

    def __init__(self, protocol: StartTls) -> None:
        self.protocol = protocol
        self.sends = [sent for sent, _ in GOOD[protocol]]
        self.parts = [part for _, part in GOOD[protocol]]

    def variants(self) -> Iterator[tuple[str, Behaviour, str, *tuple[Stage, ...]]]:
        parts, before = self.parts, self.parts[:-1]
        bare = [part.replace(*WITHOUT[self.protocol]) for part in parts]
        yield "healthy", self.says(*parts, then=self.shakes), "ok", DONE
        yield "in pieces", self.in_pieces, "ok", DONE
        yield "closes at once", self.leaves, "eof"
        yield "says half of it", self.says(parts[0][:-1]), "timeout-handshake"
        yield "silent", self.silent, "timeout-handshake"
        yield "refuses", self.says(*before, NO[self.protocol]), "starttls-refused"
        yield "offers nothing", self.says(*bare), "starttls-not-offered"
        injected = self.says(*before, parts[-1] + b"injected\r\n")
        yield "clear text with the go-ahead", injected, "protocol-error"
        yield "clear text instead of TLS", self.says(*parts, then=self.changes), "not-tls", HELLO
        yield "endless bytes", self.floods(b"\x30\x84" + b"\0" * 4000), "protocol-error"
        if len(parts[0]) > 1:
            yield "one byte a second", self.drips, "timeout-handshake"
        if self.protocol in HAS_LINES:
            line = parts[0].split(b"\r\n")[0] + b"x" * 4000
            yield "endless line", self.floods(line), "protocol-error"
        if len(parts) > 1 and self.protocol is not StartTls.IMAP:
            yield "early", self.says(parts[0] + parts[1]), "protocol-error"
        if self.sends[0]:
            yield "resets", self.resets, "reset"

    def listens(self, connection: socket.socket) -> None:
        """Read what the client says before the server's first word, where it speaks first."""
        if self.sends[0]:
            connection.recv(4096)

    def says(self, *parts: bytes, then: Behaviour | None = None) -> Behaviour:
        """Say the parts in turn, each after what the client sends; then do that, or wait."""

        def behave(connection: socket.socket, house: House) -> None:
            for sent, part in zip(self.sends, parts, strict=False):
                if sent:
                    connection.recv(4096)
                connection.sendall(part)
            if then is None:
                wait(connection)
            else:
                then(connection, house)

        return behave

    def floods(self, data: bytes) -> Behaviour:
        def behave(connection: socket.socket, _: House) -> None:
            self.listens(connection)
            while True:
                connection.sendall(data)

        return behave

    def shakes(self, connection: socket.socket, house: House) -> None:
        if size := len(LAST.get(self.protocol, b"")):
            connection.recv(size, socket.MSG_WAITALL)
        good(connection, house)

    def in_pieces(self, connection: socket.socket, house: House) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for sent, part in GOOD[self.protocol]:
            if sent:
                connection.recv(4096)
            for octet in part:
                connection.sendall(bytes([octet]))
        self.shakes(connection, house)

    def leaves(self, connection: socket.socket, _: House) -> None:
        self.listens(connection)

    def silent(self, connection: socket.socket, _: House) -> None:
        wait(connection)

    def drips(self, connection: socket.socket, _: House) -> None:
        self.listens(connection)
        drip(connection, self.parts[0], DRIP_S)

    def resets(self, connection: socket.socket, _: House) -> None:
        connection.recv(4096)
        reset(connection)

    def changes(self, connection: socket.socket, _: House) -> None:
        """Begin to talk in clear text again, after the ClientHello."""
        connection.recv(4096)
        connection.sendall(b"421 not today, in clear text\r\n")
        wait(connection)
