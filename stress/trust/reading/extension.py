"""Decodes the certificate extensions that trust rules need, each one alone.

Every function takes the content of `extnValue` and raises `DerError` if it is something else; the
caller notes that and continues. Sources: RFC 5280 section 4.2, RFC 6962 section 3.3, RFC 7633.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from stress.trust.reading.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    DerError,
    Element,
    bits,
    integer,
    oid,
    single,
)
from stress.trust.reading.oids import named

# Reads distinguished names: as text, in the form in which they are compared, and in parts.
#
# Names are compared as RFC 5280 section 7.1 requires: attribute by attribute, ignoring case, runs
# of spaces and the string type of their encoding.

_ENCODING = {0x0C: "utf-8", 0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""Tag -> codec; every other string type is read as UTF-8 (its ASCII subsets included).

TeletexString (0x14) is Latin-1 in practice, whatever T.61 says.
"""

NormalName = tuple[tuple[tuple[str, str], ...], ...]
"""RDNs of (attribute, folded value) pairs: equal exactly when the names match."""


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name. The texts are raw: show them only through `printable`."""

    text: str = ""
    """`CN=…, O=…`, most specific first as RFC 4514 writes it."""
    normal: NormalName = ()
    common_name: str | None = None
    """The last CN, as OpenSSL takes it; None: there is none."""


def read_name(element: Element) -> Name:
    """The name in an RDNSequence.

    Raises:
        DerError: the element is something else.
    """
    rdns: list[list[tuple[str, str]]] = []
    for rdn in element.expect(SEQUENCE).children():
        attributes = []
        for pair in rdn.expect(SET).children():
            parts = pair.expect(SEQUENCE).children()
            if len(parts) != 2:
                raise DerError(f"an attribute of {len(parts)} parts")
            value = parts[1].body.decode(_ENCODING.get(parts[1].tag, "utf-8"), "replace")
            attributes.append((named(oid(parts[0].body)), value))
        rdns.append(attributes)
    pairs = [pair for rdn in rdns for pair in rdn]
    return Name(
        text=", ".join(f"{kind}={value}" for kind, value in reversed(pairs)),
        normal=tuple(
            tuple(sorted((kind, " ".join(value.casefold().split())) for kind, value in rdn))
            for rdn in rdns
        ),
        common_name=dict(pairs).get("CN"),
    )


_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"
_STATUS_REQUEST = 5
_CERT_SIGN = 0x04
"""keyCertSign is bit 5 of KeyUsage, counted from the most significant."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class GeneralNames:
    """The kinds of GeneralName that clients compare; raw text."""

    dns: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    networks: tuple[bytes, ...] = ()
    """iPAddress values of other lengths: address and mask in name constraints (8 or 32 octets)."""
    directories: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """Subtrees that an issuer may and may not certify (RFC 5280 section 4.2.1.10)."""

    permitted: GeneralNames = field(default_factory=GeneralNames)
    excluded: GeneralNames = field(default_factory=GeneralNames)


def general_names(data: bytes) -> GeneralNames:
    """The names of a subjectAltName."""
    return _collect(single(data).expect(SEQUENCE).children())


def name_constraints(data: bytes) -> NameConstraints:
    """Permitted and excluded subtrees."""
    found = {0xA0: GeneralNames(), 0xA1: GeneralNames()}
    for part in single(data).expect(SEQUENCE).children():
        if part.tag not in found:
            raise DerError(f"tag 0x{part.tag:02x} in name constraints")
        bases = [subtree.expect(SEQUENCE).children() for subtree in part.children()]
        found[part.tag] = _collect([base[0] for base in bases if base])
    return NameConstraints(found[0xA0], found[0xA1])


def _collect(names: list[Element]) -> GeneralNames:
    """The names by kind; other kinds (mail, URI, …) are compared by no TLS client."""
    bodies: dict[int, list[bytes]] = {}
    for name in names:
        bodies.setdefault(name.tag, []).append(name.body)
    octets = bodies.get(0x87, [])
    return GeneralNames(
        tuple(body.decode("ascii", "replace") for body in bodies.get(0x82, [])),
        tuple(ip_address(body) for body in octets if len(body) in {4, 16}),
        tuple(body for body in octets if len(body) not in {4, 16}),
        tuple(read_name(single(body)) for body in bodies.get(0xA4, [])),
    )


def basic_constraints(data: bytes) -> tuple[bool, int | None]:
    """Whether the subject is a CA, and how many CAs may follow below it (None: any)."""
    is_ca, path_length = False, None
    for part in single(data).expect(SEQUENCE).children():
        if part.tag == BOOLEAN:
            is_ca = any(part.body)
        else:
            path_length = integer(part.expect(INTEGER).body)
    return is_ca, path_length


def may_sign_certificates(data: bytes) -> bool:
    """Whether a keyUsage holds keyCertSign."""
    octets = bits(single(data).expect(BIT_STRING).body)
    return bool(octets and octets[0] & _CERT_SIGN)


def purposes(data: bytes) -> tuple[str, ...]:
    """The purposes of an extendedKeyUsage by name; those without one as identifiers."""
    parts = single(data).expect(SEQUENCE).children()
    return tuple(named(oid(part.expect(OID).body)) for part in parts)


def subject_key_id(data: bytes) -> bytes:
    """The identifier of the subject's key."""
    return single(data).expect(OCTET_STRING).body


def authority_key_id(data: bytes) -> bytes | None:
    """The identifier of the issuer's key; None: named by issuer and serial only."""
    for part in single(data).expect(SEQUENCE).children():
        if part.tag == 0x80:
            return part.body
    return None


def issuer_urls(data: bytes) -> tuple[str, ...]:
    """URLs of the issuer's certificate (caIssuers); raw text."""
    found = []
    for description in single(data).expect(SEQUENCE).children():
        parts = description.expect(SEQUENCE).children()
        wanted = len(parts) == 2 and parts[1].tag == 0x86
        if wanted and oid(parts[0].expect(OID).body) == _CA_ISSUERS:
            found.append(parts[1].body.decode("ascii", "replace"))
    return tuple(found)


def must_staple(data: bytes) -> bool:
    """Whether the TLS feature `status_request` is required (RFC 7633)."""
    parts = single(data).expect(SEQUENCE).children()
    return any(integer(part.expect(INTEGER).body) == _STATUS_REQUEST for part in parts)


def embedded_logs(data: bytes) -> tuple[bytes, ...]:
    """The 32-byte log ids of an embedded SCT list, in its order."""
    return sct_logs(single(data).expect(OCTET_STRING).body)


def organizations(name: NormalName) -> list[str]:
    """The organizations (O) of a name."""
    return [value for attributes in name for kind, value in attributes if kind == "O"]


def sct_logs(data: bytes) -> tuple[bytes, ...]:
    """The log ids of a SignedCertificateTimestampList (RFC 6962 section 3.3).

    Raises:
        DerError: the lengths do not add up.
    """
    return tuple(sct[3:35] for sct in _scts(data))


def sct_times(data: bytes) -> tuple[int, ...]:
    """The times of such a list, in Unix seconds.

    Raises:
        DerError: the lengths do not add up.
    """
    return tuple(int.from_bytes(sct[35:43], "big") // 1000 for sct in _scts(data))


def embedded_times(data: bytes) -> tuple[int, ...]:
    """The times of an embedded SCT list, in Unix seconds."""
    return sct_times(single(data).expect(OCTET_STRING).body)


def _scts(data: bytes) -> Iterator[bytes]:
    """Each SCT with its length in front."""
    if len(data) < 2 or int.from_bytes(data[:2], "big") != len(data) - 2:
        raise DerError("an SCT list whose length is wrong")
    at = 2
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        # A version 1 SCT: version, log id, time, extensions' length, signature's header.
        if end > len(data) or end - at < 2 + 1 + 32 + 8 + 2:
            raise DerError("an SCT that is cut off")
        yield data[at:end]
        at = end
