"""Reads distinguished names: as text, in the form in which they are compared, and in parts.

Names are compared as RFC 5280 section 7.1 requires: attribute by attribute, ignoring case, runs of
spaces and the string type of their encoding.
"""

from __future__ import annotations

from dataclasses import dataclass

from stress.trust.reading.der import SEQUENCE, SET, DerError, Element, oid

COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"

_SHORT = {
    COMMON_NAME: "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    ORGANIZATION: "O",
    "2.5.4.11": "OU",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.25": "DC",
}

_ENCODING = {0x0C: "utf-8", 0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""Tag -> codec; every other string type is read as UTF-8 (its ASCII subsets included).

TeletexString (0x14) is Latin-1 in practice, whatever T.61 says.
"""

NormalName = tuple[tuple[tuple[str, str], ...], ...]
"""RDNs of (OID, folded value) pairs: equal exactly when the names match."""


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name. The texts are raw: show them only through `printable`."""

    text: str = ""
    """`CN=…, O=…`, most specific first as RFC 4514 writes it."""
    normal: NormalName = ()
    common_name: str | None = None
    """The last CN, as OpenSSL takes it; None: there is none."""
    organization: str | None = None


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
            attributes.append((oid(parts[0].body), value))
        rdns.append(attributes)
    pairs = [pair for rdn in rdns for pair in rdn]
    values = dict(pairs)
    return Name(
        text=", ".join(f"{_SHORT.get(kind, kind)}={value}" for kind, value in reversed(pairs)),
        normal=tuple(
            tuple(sorted((kind, " ".join(value.casefold().split())) for kind, value in rdn))
            for rdn in rdns
        ),
        common_name=values.get(COMMON_NAME),
        organization=values.get(ORGANIZATION),
    )
