"""Decodes the certificate extensions that trust rules need, each one alone.

Every function takes the content of `extnValue` and raises `DerError` if it is something else; the
caller notes that and continues. Sources: RFC 5280 section 4.2, RFC 6962 section 3.3, RFC 7633.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
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
    OddFormError,
    bits,
    elements,
    first,
    integer,
    named,
    oid,
    oids,
    single,
)

# Reads distinguished names: as text, in the form in which they are compared, and in parts.
#
# Names are compared as RFC 5280 section 7.1 requires: attribute by attribute, ignoring case, runs
# of spaces and the string type of their encoding.

_ENCODING = {0x0C: "utf-8", 0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""Tag -> codec; every other string type is read as UTF-8 (its ASCII subsets included).

TeletexString (0x14) is Latin-1 in practice, whatever T.61 says.
"""

_NAME_TYPES = frozenset({0x0C, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E, 0x03, 0x30})
"""Those that OpenSSL reads in a name (ASN1_PRINTABLE)."""

NormalName = tuple[tuple[tuple[str, str], ...], ...]
"""RDNs of (attribute, folded value) pairs: equal exactly when the names match."""


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name. The texts are raw: show them only through `printable`."""

    text: str = ""
    """`CN=…, O=…`, most specific first as RFC 4514 writes it."""
    normal: NormalName = ()
    common_names: tuple[str, ...] = ()
    odd_strings: bool = False
    """A value is neither a UTF8String nor a PrintableString."""
    broken_strings: bool = False
    """A value is not of its string type."""
    odd_types: bool = False
    """A value is of a type that no name has."""
    der: bytes = b""


def read_name(element: Element) -> Name:
    """The name in an RDNSequence.

    Raises:
        DerError: the element is something else.
    """
    rdns: list[list[tuple[str, str]]] = []
    odd = broken = odd_types = False
    form: OddFormError | None = None
    for rdn in element.expect(SEQUENCE).children():
        attributes = []
        for pair in rdn.expect(SET).children():
            parts = pair.expect(SEQUENCE).children()
            if len(parts) < 2:
                raise DerError(f"an attribute of {len(parts)} parts")
            if len(parts) > 2:
                form = OddFormError("an attribute of more than two parts", None, "")
            odd |= parts[1].tag not in {0x0C, 0x13}
            odd_types |= parts[1].tag not in _NAME_TYPES
            encoding = _ENCODING.get(parts[1].tag, "utf-8")
            value = parts[1].body.decode(encoding, "replace")
            if parts[1].tag in _ENCODING:
                broken |= value.encode(encoding, "replace") != parts[1].body
            (identifier,), padded = oids([parts[0].body])
            form = padded or form
            attributes.append((named(identifier), value))
        rdns.append(attributes)
    pairs = [pair for rdn in rdns for pair in rdn]
    name = Name(
        text=", ".join("+".join(f"{k}={value}" for k, value in rdn) for rdn in reversed(rdns)),
        normal=tuple(
            tuple(sorted((kind, " ".join(value.casefold().split())) for kind, value in rdn))
            for rdn in rdns
        ),
        common_names=tuple(value for kind, value in pairs if kind == "CN"),
        odd_strings=odd,
        broken_strings=broken,
        odd_types=odd_types,
        der=element.raw,
    )
    if form is not None:
        raise OddFormError(str(form), name, form.kind)
    return name


_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"
_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
"""The bits of KeyUsage, from the most significant."""

_GENERAL_NAMES = frozenset({0xA0, 0x81, 0x82, 0xA3, 0xA4, 0xA5, 0x86, 0x87, 0x88})

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class GeneralNames:
    """The kinds of GeneralName that clients compare; raw text."""

    dns: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    networks: tuple[bytes, ...] = ()
    """iPAddress values of other lengths: address and mask in name constraints (8 or 32 octets)."""
    directories: tuple[Name, ...] = ()
    mails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    others: int = 0
    """Names of kinds that TLS clients do not compare."""
    unknown: int = 0
    """Names of no kind that there is."""

    @property
    def empty(self) -> bool:
        """There is no name at all."""
        return self == GeneralNames()


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """Subtrees that an issuer may and may not certify (RFC 5280 section 4.2.1.10)."""

    permitted: GeneralNames = field(default_factory=GeneralNames)
    excluded: GeneralNames = field(default_factory=GeneralNames)
    spelt_out: bool = False
    """A subtree gives bounds, even if they are the default."""
    bounded: bool = False
    """A subtree has a minimum or maximum, which RFC 5280 forbids."""
    hollow: bool = False
    """There are no subtrees where there could be some."""


def general_names(data: bytes) -> GeneralNames:
    """The names of a subjectAltName."""
    listed = first(data).expect(SEQUENCE).children()
    names = _collect(listed)
    for one in listed:
        if one.tag == 0xA4 and not _directories([one.body]):
            raise OddFormError("a directoryName that is none", names)
        if one.tag == 0x88 and not one.body:
            raise OddFormError("a registeredID without octets", names)
        if one.tag == 0xA0 and [part.tag for part in elements(one.body)] != [OID, 0xA0]:
            raise OddFormError("an otherName of another form", names)
    return names


def name_constraints(data: bytes) -> NameConstraints:
    """Permitted and excluded subtrees."""
    found = {0xA0: GeneralNames(), 0xA1: GeneralNames()}
    spelt_out = bounded = False
    parts = first(data).expect(SEQUENCE).children()
    for part in parts:
        if part.tag not in found:
            raise DerError(f"tag 0x{part.tag:02x} in name constraints")
        bases = [subtree.expect(SEQUENCE).children() for subtree in part.children()]
        if not all(bases):
            raise DerError("a subtree without a name")
        found[part.tag] = _collect([base[0] for base in bases])
        bounded |= any(any(limit.body) or limit.tag == 0x81 for base in bases for limit in base[1:])
        spelt_out |= any(base[1:] for base in bases)
    hollow = not all(part.body for part in parts)
    limits = NameConstraints(found[0xA0], found[0xA1], spelt_out, bounded, hollow)
    if [part.tag for part in parts] != sorted({part.tag for part in parts}):
        raise OddFormError("in another order", limits)
    return limits


def _collect(names: list[Element]) -> GeneralNames:
    """The names by kind."""
    bodies: dict[int, list[bytes]] = {}
    for name in names:
        bodies.setdefault(name.tag, []).append(name.body)
    octets = bodies.get(0x87, [])
    return GeneralNames(
        tuple(body.decode("ascii", "replace") for body in bodies.get(0x82, [])),
        tuple(ip_address(body) for body in octets if len(body) in {4, 16}),
        tuple(body for body in octets if len(body) not in {4, 16}),
        _directories(bodies.get(0xA4, [])),
        tuple(body.decode("ascii", "replace") for body in bodies.get(0x81, [])),
        tuple(body.decode("ascii", "replace") for body in bodies.get(0x86, [])),
        sum(len(bodies.get(tag, [])) for tag in (0xA0, 0xA3, 0xA5, 0x88)),
        sum(len(bodies[tag]) for tag in bodies.keys() - _GENERAL_NAMES),
    )


def _directories(bodies: list[bytes]) -> tuple[Name, ...]:
    """Those that decode."""
    found = []
    for body in bodies:
        with suppress(DerError):
            found.append(read_name(single(body)))
    return tuple(found)


def basic_constraints(data: bytes) -> tuple[bool, int | None]:
    """Whether the subject is a CA, and how many CAs may follow below it (None: any)."""
    parts = first(data).expect(SEQUENCE).children()
    is_ca, path_length = False, None
    if parts and parts[0].tag not in {BOOLEAN, INTEGER}:
        raise OddFormError(f"tag 0x{parts[0].tag:02x} where 0x01 is expected", (False, None))
    if parts and parts[0].tag == BOOLEAN:
        if len(parts[0].body) != 1:
            raise DerError("a boolean of several octets")
        is_ca = any(parts.pop(0).body)
    if parts:
        octets = parts.pop(0).expect(INTEGER).body
        path_length = integer(octets)
        if len(octets) > path_length.bit_length() // 8 + 1:
            raise OddFormError("a path length with padding", (is_ca, path_length), "padding")
    if parts:
        raise OddFormError("more than a flag and a path length", (is_ca, path_length))
    return is_ca, path_length


def usages(data: bytes, *, masked: bool = True) -> tuple[str, ...]:
    """What a keyUsage allows; masked: without the bits that it declares unused."""
    body = first(data).expect(BIT_STRING).body
    octets = bits(body)
    unused = body[0] + 8 * (2 - len(octets)) if masked and len(octets) <= 2 else 0
    value = int.from_bytes(octets[:2].ljust(2, b"\0"), "big") >> unused << unused
    return tuple(name for place, name in enumerate(_USAGES) if value & 1 << 15 - place)


@dataclass(frozen=True, slots=True)
class PolicyConstraints:
    """A policyConstraints: after so many certificates a policy is needed, mappings are not.

    A negative count, which clients take for none, is none.
    """

    require: int | None = None
    no_mapping: int | None = None


def policy_constraints(data: bytes) -> PolicyConstraints:
    """The counts of a policyConstraints."""
    counts = {part.tag: integer(part.body) for part in first(data).expect(SEQUENCE).children()}
    counts = {tag: count for tag, count in counts.items() if count >= 0}
    return PolicyConstraints(counts.get(0x80), counts.get(0x81))


def policies(data: bytes) -> tuple[str, ...]:
    """The identifiers of certificatePolicies."""
    parts = first(data).expect(SEQUENCE).children()
    return tuple(oid(part.expect(SEQUENCE).first(OID).body) for part in parts)


def policy_mappings(data: bytes) -> tuple[tuple[str, str], ...]:
    """Pairs of policies: the issuer's, and the subject's that counts for it."""
    pairs = [pair.expect(SEQUENCE).children() for pair in first(data).expect(SEQUENCE).children()]
    if any(len(pair) != 2 for pair in pairs):
        raise DerError("a mapping that is no pair")
    return tuple(
        (oid(ours.expect(OID).body), oid(theirs.expect(OID).body)) for ours, theirs in pairs
    )


def inhibit_any_policy(data: bytes) -> int:
    """After so many certificates anyPolicy counts no more."""
    return integer(first(data).expect(INTEGER).body)


def purposes(data: bytes) -> tuple[str, ...]:
    """The purposes of an extendedKeyUsage by name; those without one as identifiers."""
    parts = first(data).expect(SEQUENCE).children()
    identifiers, zeros = oids(part.expect(OID).body for part in parts)
    names = tuple(map(named, identifiers))
    if zeros is not None:
        raise OddFormError(str(zeros), names, zeros.kind)
    return names


def subject_key_id(data: bytes) -> bytes:
    """The identifier of the subject's key."""
    return first(data).expect(OCTET_STRING).body


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """An authorityKeyIdentifier: the issuer's key, or its certificate by issuer and serial."""

    key_id: bytes | None = None
    issuers: tuple[Name, ...] = ()
    serial: bytes | None = None


def authority(data: bytes) -> AuthorityKey:
    """The parts of an authorityKeyIdentifier."""
    parts = {part.tag: part.body for part in first(data).expect(SEQUENCE).children()}
    constructed = 0xA0 in parts
    if constructed:
        parts[0x80] = b"".join(part.body for part in elements(parts.pop(0xA0)))
    if parts.keys() - {0x80, 0xA1, 0x82}:
        raise DerError("an element of another kind")
    issuers = _collect(list(elements(parts.get(0xA1, b""))))
    found = AuthorityKey(parts.get(0x80), issuers.directories, parts.get(0x82))
    if constructed:
        raise OddFormError("a key identifier in several pieces", found, "BER")
    return found


def issuer_urls(data: bytes) -> tuple[str, ...]:
    """URLs of the issuer's certificate (caIssuers); raw text."""
    found = []
    for description in first(data).expect(SEQUENCE).children():
        parts = description.expect(SEQUENCE).children()
        wanted = len(parts) == 2 and parts[1].tag == 0x86
        if wanted and oid(parts[0].expect(OID).body) == _CA_ISSUERS:
            found.append(parts[1].body.decode("ascii", "replace"))
    return tuple(found)


def distribution_points(data: bytes) -> None:
    """Only the outer form: nobody asks what they say."""
    for point in first(data).expect(SEQUENCE).children():
        if {part.tag for part in point.expect(SEQUENCE).children()}.isdisjoint({0xA0, 0xA2}):
            raise OddFormError("a point without a name", None)


def features(data: bytes) -> tuple[int, ...]:
    """The TLS extensions that a server must answer (RFC 7633)."""
    parts = first(data).expect(SEQUENCE).children()
    return tuple(integer(part.expect(INTEGER).body) for part in parts)


def embedded_logs(data: bytes) -> tuple[bytes, ...]:
    """The 32-byte log ids of an embedded SCT list, in its order."""
    return sct_logs(first(data).expect(OCTET_STRING).body)


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
