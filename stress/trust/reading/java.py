"""What Java's reader makes of certificates: which extensions it cannot decode.

Java decodes every extension that it knows, and a critical one that it cannot decode makes it refuse
the whole message; one that is not critical is as if it were not there. Its idea of what decodes is
neither ours (`certificate.py`) nor Go's (`strict_problems`): BER is fine, trailing octets are not,
and names are parsed to the end. Sources: OpenJDK 17, sun.security.x509 (OIDMap and the constructors
of the extensions), sun.security.util.DerValue and ObjectIdentifier.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

from stress.trust.reading.certificate import CertificateFacts
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
    elements,
    integer,
    named,
    oid,
    single,
)
from stress.trust.reading.extension import GeneralNames

_Check = Callable[[Element], object]
_MOST_INT = 2**31
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")
_URI = re.compile(r"([A-Za-z0-9_.!~*'();/?:@&=+$,#\[\]-]|%[0-9A-Fa-f]{2}|[^\x00-\x7f])*")
_ADDRESS_HOST = re.compile(r"[^:/?#]+://([^/?#]*@)?\[(?![0-9A-Fa-f:.]+(%\w+)?\](:\d*)?([/?#]|$))")
"""A URI with a host that is meant to be an IPv6 address, and is none."""
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")

_FIELDS: dict[str, dict[str, Any]] = {
    "subjectAltName": {"alternative_names": None, "sans": ()},
    "basicConstraints": {"is_ca": False, "path_length": None},
    "keyUsage": {"usages": None},
    "extendedKeyUsage": {"purposes": None},
    "subjectKeyIdentifier": {"subject_key_id": None},
    "authorityKeyIdentifier": {"authority": None},
    "nameConstraints": {"constraints": None},
    "certificatePolicies": {"policies": None},
    "policyMappings": {"policy_mappings": ()},
    "policyConstraints": {"policy_constraints": None},
    "inhibitAnyPolicy": {"inhibit_any_policy": None},
}
"""Extension -> what facts say without it."""


@lru_cache(maxsize=512)
def undecodable(facts: CertificateFacts) -> Mapping[str, str]:
    """The extensions that Java knows and cannot decode, and why."""
    found: dict[str, str] = {}
    for one in facts.extensions:
        name = named(one.oid)
        if name == "inhibitAnyPolicy" and not one.critical:
            found[name] = "not critical"
        try:
            if name in _CHECKS:
                _CHECKS[name](single(one.value))
        except DerError as error:
            found.setdefault(name, str(error))
    return found


def doubled(facts: CertificateFacts) -> tuple[str, ...]:
    """The extensions that Java reads twice: it keeps those apart that it cannot decode."""
    names = []
    for one in facts.extensions:
        with suppress(DerError):
            _CHECKS.get(named(one.oid), _anything)(single(one.value))
            names.append(named(one.oid))
    return tuple(name for name in facts.duplicates if names.count(name) > 1)


@lru_cache(maxsize=512)
def as_java_reads(facts: CertificateFacts) -> CertificateFacts:
    """The facts without the extensions that Java leaves out."""
    lost = [fields for name, fields in _FIELDS.items() if name in undecodable(facts)]
    read = replace(facts, **{key: value for one in lost for key, value in one.items()})
    if read.constraints is not None:
        limits = read.constraints
        permitted, excluded = _networks(limits.permitted), _networks(limits.excluded)
        limits = replace(limits, permitted=permitted, excluded=excluded)
        read = replace(read, constraints=limits)
    if read.path_length is None or read.path_length >= 0:
        return read
    # -1 stands for "no CA", and other negative numbers for 0 (X509CertImpl.getBasicConstraints).
    return replace(read, is_ca=read.is_ca and read.path_length != -1, path_length=0)


def _networks(names: GeneralNames) -> GeneralNames:
    """An address without a mask is a network of one."""
    alone = tuple(one.packed + b"\xff" * len(one.packed) for one in names.addresses)
    return replace(names, networks=names.networks + alone)


def _parts(element: Element) -> Iterator[Element]:
    """The elements of a SEQUENCE."""
    return elements(element.expect(SEQUENCE).body)


def _each(check: _Check) -> _Check:
    """A SEQUENCE OF what is checked."""

    def every(element: Element) -> None:
        for part in _parts(element):
            check(part)

    return every


def _some(check: _Check) -> _Check:
    """As `_each`, but not empty."""

    def every(element: Element) -> None:
        if not element.body:
            raise DerError("no name")
        _each(check)(element)

    return every


def _of(tag: int, read: Callable[[bytes], object] = len) -> _Check:
    return lambda element: read(element.expect(tag).body)


def _number(body: bytes) -> None:
    if not -_MOST_INT <= integer(body) < _MOST_INT:
        raise DerError("a number of more than 32 bits")


def _bit_string(body: bytes) -> None:
    if not bits(body) and body[0]:
        raise DerError("unused bits of no octet")


def _identifier(body: bytes) -> None:
    oid(body)
    if any(octet == 0x80 and not before & 0x80 for before, octet in pairwise(body)):
        raise DerError("an object identifier with leading zeros")


_oid = _of(OID, _identifier)


def _series(*checks: _Check) -> _Check:
    """A SEQUENCE that begins with these elements."""

    def check(element: Element) -> None:
        parts = list(_parts(element))
        if len(parts) < len(checks):
            raise DerError("an element is missing")
        for part, one in zip(parts, checks, strict=False):
            one(part)

    return check


def _tagged(checks: dict[int, _Check]) -> _Check:
    """A SEQUENCE of optional elements, each at most once."""

    def check(element: Element) -> None:
        seen = set()
        for part in _parts(element):
            if part.tag not in checks or part.tag in seen:
                raise DerError(f"tag 0x{part.tag:02x}, which is not expected")
            seen.add(part.tag)
            checks[part.tag](part)

    return check


def _anything(element: Element) -> None:
    """Not looked into."""


def _as(tag: int, check: _Check) -> _Check:
    """An element with an implicit tag, as the one that it stands for."""
    return lambda element: check(replace(element, tag=tag))


def _directory(element: Element) -> None:
    for rdn in _parts(single(element.body)) if element.body else ():
        for pair in elements(rdn.expect(SET).body):
            parts = list(_parts(pair))
            if len(parts) != 2:
                raise DerError(f"an attribute of {len(parts)} parts")
            _oid(parts[0])


def _mail(element: Element) -> None:
    if element.body.rpartition(b"@")[2] in {b"", b"."}:
        raise DerError("no mail address")


def _uri(element: Element, *, constraint: bool = False) -> None:
    """As java.net.URI; in name constraints a host alone."""
    text = element.body.decode("ascii", "replace")
    if not _URI.fullmatch(text) or _ADDRESS_HOST.match(text):
        raise DerError("no URI")
    if bool(_SCHEME.match(text)) is constraint:
        raise DerError("a URI with a scheme" if constraint else "a URI without a scheme")
    if constraint and not _DOMAIN.fullmatch(text.removeprefix(".")):
        raise DerError("no domain")


def _address(element: Element) -> None:
    if len(element.body) not in {4, 8, 16, 32}:
        raise DerError(f"an address of {len(element.body)} octets")


def _general_name(element: Element, *, constraint: bool = False) -> None:
    checks: dict[int, _Check] = {
        0xA0: _as(SEQUENCE, _series(_oid, _anything)),
        0x81: _mail,
        0x82: _anything,
        0xA3: _anything,
        0xA4: _directory,
        0xA5: _as(SEQUENCE, _series(_anything)),
        0x86: partial(_uri, constraint=constraint),
        0x87: _address,
        0x88: _as(OID, _oid),
    }
    if element.tag not in checks:
        raise DerError(f"a name with tag 0x{element.tag:02x}")
    checks[element.tag](element)


def _basic_constraints(element: Element) -> None:
    parts = list(_parts(element))
    if parts and parts[0].tag == BOOLEAN:
        if len(parts[0].body) != 1:
            raise DerError("a boolean of several octets")
        for one in parts[1:2]:
            _of(INTEGER, _number)(one)


def _key_usage(element: Element) -> None:
    inside = single(element.body) if element.tag == OCTET_STRING else element
    _of(BIT_STRING, _bit_string)(inside)


def _subtree(element: Element) -> None:
    _series(partial(_general_name, constraint=True))(element)
    for one in element.children()[1:]:
        if one.tag not in {0x80, 0x81}:
            raise DerError("a subtree of another form")
        _number(one.body)


def _policy(element: Element) -> None:
    _series(_oid)(element)
    for one in element.children()[1:2]:
        if not one.expect(SEQUENCE).body:
            raise DerError("no qualifiers")
        _each(_series(_oid))(one)


def _point(element: Element) -> None:
    names = _as(SEQUENCE, _some(_general_name))
    _tagged(
        {
            0xA0: _as(SEQUENCE, _tagged({0xA0: names, 0xA1: _anything})),
            0x81: _of(0x81, _bit_string),
            0xA2: names,
        }
    )(element)
    if not any(part.tag in {0xA0, 0xA2} for part in _parts(element)):
        raise DerError("a distribution point without a name")


_access = _each(_series(_oid, _general_name))
_whole = _of(INTEGER, integer)

_CHECKS: dict[str, _Check] = {
    "subjectKeyIdentifier": _of(OCTET_STRING),
    "keyUsage": _key_usage,
    "subjectAltName": _some(_general_name),
    "issuerAltName": _some(_general_name),
    "basicConstraints": _basic_constraints,
    "nameConstraints": _tagged(
        {0xA0: _as(SEQUENCE, _each(_subtree)), 0xA1: _as(SEQUENCE, _each(_subtree))}
    ),
    "cRLDistributionPoints": _each(_point),
    "freshestCRL": _each(_point),
    "certificatePolicies": _each(_policy),
    "policyMappings": _each(_series(_oid, _oid)),
    "authorityKeyIdentifier": _tagged(
        {0x80: _anything, 0xA1: _as(SEQUENCE, _some(_general_name)), 0x82: _of(0x82, integer)}
    ),
    "policyConstraints": _tagged({0x80: _of(0x80, _number), 0x81: _of(0x81, _number)}),
    "extendedKeyUsage": _each(_oid),
    "inhibitAnyPolicy": _of(INTEGER, _number),
    "authorityInfoAccess": _access,
    "subjectInfoAccess": _access,
    "netscapeCertType": _of(BIT_STRING, _bit_string),
    "cRLNumber": _whole,
    "deltaCRLIndicator": _whole,
}
"""Name of an extension -> what raises DerError where Java's constructor does."""
