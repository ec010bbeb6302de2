"""A ClientHello as it was really sent: its fields, JA3 and JA4; and JA3S of a ServerHello.

Libraries compute fingerprints from their settings. This module reads the bytes, because only they
show what a library does not express. Sources: RFC 8446 section 4.1.2 for the layout, salesforce/ja3
and FoxIO-LLC/ja4 (technical_details/JA4.md) for the fingerprints.

GREASE (RFC 8701) stays in the fields as sent, but is left out of both fingerprints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import md5, sha256
from itertools import takewhile
from typing import Final

from stress.errors import UsageError
from stress.handshake.wire import extensions, items
from stress.model.plan import Client

SERVER_NAME: Final = 0
STATUS_REQUEST: Final = 5
GROUPS: Final = 10
POINT_FORMATS: Final = 11
SIGNATURE_ALGORITHMS: Final = 13
ALPN: Final = 16
PADDING: Final = 21
COMPRESS_CERTIFICATE: Final = 27
SESSION_TICKET: Final = 35
SUPPORTED_VERSIONS: Final = 43
KEY_SHARE: Final = 51

_HANDSHAKE_RECORD: Final = 22
_CLIENT_HELLO: Final = 1
_LEAST_BODY: Final = 38
_COMPRESSIONS: Final = {1: "zlib", 2: "brotli", 3: "zstd"}  # RFC 8879 section 7.3
_JA4_VERSIONS: Final = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}


def is_grease(number: int) -> bool:
    """Whether a code point is one of the sixteen of RFC 8701 section 2."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def _without_grease(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(number for number in numbers if not is_grease(number))


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension as sent."""

    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The fields of a ClientHello, in the order sent, GREASE included."""

    legacy_version: int
    random: bytes
    """32 bytes; the key of the connection in key logs."""
    session_id: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: tuple[int, ...]
    extensions: tuple[Extension, ...]

    def body(self, number: int) -> bytes | None:
        """The body of the first extension with this number, None if it was not sent."""
        return next((each.body for each in self.extensions if each.number == number), None)

    @property
    def server_name(self) -> str | None:
        """The name of SNI (RFC 6066 section 3), None if none was sent."""
        body = self.body(SERVER_NAME) or b""
        return body[5:].decode("ascii", "backslashreplace") if len(body) > 5 else None

    @property
    def versions(self) -> tuple[int, ...]:
        """Versions offered; without the extension the legacy version alone."""
        body = self.body(SUPPORTED_VERSIONS)
        return (self.legacy_version,) if body is None else _numbers(body[1:])

    @property
    def groups(self) -> tuple[int, ...]:
        """Named groups."""
        return _numbers((self.body(GROUPS) or b"")[2:])

    @property
    def point_formats(self) -> tuple[int, ...]:
        """Formats of points on curves (RFC 8422 section 5.1.2)."""
        return tuple((self.body(POINT_FORMATS) or b"")[1:])

    @property
    def signature_algorithms(self) -> tuple[int, ...]:
        """Signature schemes."""
        return _numbers((self.body(SIGNATURE_ALGORITHMS) or b"")[2:])

    @property
    def key_shares(self) -> tuple[int, ...]:
        """Groups for which a share was sent."""
        return tuple(group for group, _ in extensions((self.body(KEY_SHARE) or b"")[2:]))

    @property
    def alpn(self) -> tuple[str, ...]:
        """Protocols offered (RFC 7301)."""
        return tuple(each.decode("ascii", "backslashreplace") for each in self._protocols())

    def _protocols(self) -> list[bytes]:
        return [name for _, name in items((self.body(ALPN) or b"")[2:], 1, 1)]

    @property
    def compress_certificate(self) -> tuple[str, ...]:
        """Names of the certificate compressions offered (RFC 8879)."""
        numbers = _numbers((self.body(COMPRESS_CERTIFICATE) or b"")[1:])
        return tuple(_COMPRESSIONS.get(number, f"0x{number:04x}") for number in numbers)

    @property
    def grease(self) -> bool:
        """Whether any GREASE was sent as suite, extension or group."""
        numbers = (*self.cipher_suites, *self.groups, *(each.number for each in self.extensions))
        return any(map(is_grease, numbers))

    @property
    def ja3(self) -> str:
        """The JA3 string: version, suites, extensions, groups, point formats."""
        numbers = _without_grease(each.number for each in self.extensions)
        lists = (_without_grease(self.cipher_suites), numbers, _without_grease(self.groups))
        fields = ("-".join(map(str, each)) for each in (*lists, self.point_formats))
        return ",".join((str(self.legacy_version), *fields))

    @property
    def ja3_md5(self) -> str:
        """MD5 of the JA3 string, in hexadecimal."""
        return md5(self.ja3.encode(), usedforsecurity=False).hexdigest()

    @property
    def ja4(self) -> str:
        """The JA4 fingerprint, as of a connection over TCP."""
        suites = _without_grease(self.cipher_suites)
        numbers = _without_grease(each.number for each in self.extensions)
        version = max(_without_grease(self.versions), default=0)
        name = "i" if self.body(SERVER_NAME) is None else "d"
        first = f"t{_JA4_VERSIONS.get(version, '00')}{name}"
        counts = f"{min(len(suites), 99):02}{min(len(numbers), 99):02}"
        hashed = _hexes(sorted(n for n in numbers if n not in {SERVER_NAME, ALPN}))
        signatures = _hexes(_without_grease(self.signature_algorithms))
        if hashed and signatures:
            hashed += f"_{signatures}"
        # First and last character of the first protocol; of its hexadecimal form if not ASCII.
        protocol = next(iter(self._protocols()), b"")
        ends = protocol[:1] + protocol[-1:]
        alpn = (
            ends.decode("latin-1") if ends.isalnum() else protocol.hex()[:1] + protocol.hex()[-1:]
        )
        prefix = f"{first}{counts}{alpn or '00'}"
        return f"{prefix}_{_short(_hexes(sorted(suites)))}_{_short(hashed)}"

    def client(self, name: str, title: str = "") -> Client:
        """The client profile that describes this hello."""
        return Client(
            name=name,
            title=title,
            versions=_without_grease(self.versions),
            cipher_suites=_without_grease(self.cipher_suites),
            groups=_without_grease(self.groups),
            key_shares=_without_grease(self.key_shares),
            signature_algorithms=_without_grease(self.signature_algorithms),
            alpn=self.alpn,
            extensions=_without_grease(each.number for each in self.extensions),
            compress_certificate=self.compress_certificate,
            grease=self.grease,
            server_name=self.body(SERVER_NAME) is not None,
            session_tickets=self.body(SESSION_TICKET) is not None,
        )


def ja3s(shape: Sequence[int]) -> str:
    """JA3S of a ServerHello (salesforce/ja3): the MD5 in hexadecimal, as Wireshark shows it.

    Args:
        shape: its version field, its suite, and its extensions in their order.
    """
    version, suite, *numbers = shape
    text = f"{version},{suite},{'-'.join(map(str, numbers))}"
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def read_hello(data: bytes) -> ClientHello:
    """Reads a ClientHello from TLS records (it may span several) or from the bare message.

    Raises:
        UsageError: the bytes are not a complete ClientHello.
    """
    message = data
    if data[:1] == bytes([_HANDSHAKE_RECORD]):
        first = takewhile(lambda record: record[0][0] == _HANDSHAKE_RECORD, items(data, 5, 2))
        message = b"".join(payload for _, payload in first)
    size = 4 + int.from_bytes(message[1:4])
    whole = len(message) >= max(4 + _LEAST_BODY, size) and message[0] == _CLIENT_HELLO
    try:
        if whole:
            return _read_body(message[4:size])
    except IndexError:
        pass
    raise UsageError(
        f"no complete ClientHello in {len(data)} bytes, which begin {data[:12].hex() or 'nowhere'}",
        hint="Give the TLS records of the client's first flight, without TCP and IP headers.",
    )


def _read_body(body: bytes) -> ClientHello:
    """Reads the body; raises IndexError where it ends too early."""
    after_id = 35 + body[34]
    suites_end = after_id + 2 + (body[after_id] << 8 | body[after_id + 1])
    methods_end = suites_end + 1 + body[suites_end]
    if methods_end > len(body):
        raise IndexError
    return ClientHello(
        legacy_version=body[0] << 8 | body[1],
        random=body[2:34],
        session_id=body[35:after_id],
        cipher_suites=_numbers(body[after_id + 2 : suites_end]),
        compression_methods=tuple(body[suites_end + 1 : methods_end]),
        extensions=tuple(Extension(*pair) for pair in extensions(body[methods_end + 2 :])),
    )


def _numbers(data: bytes) -> tuple[int, ...]:
    return tuple(data[at] << 8 | data[at + 1] for at in range(0, len(data) - 1, 2))


def _hexes(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12] if text else "000000000000"
