"""Rules about names: is it the host's certificate, and may its issuers speak for the host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from stress.model.outcome import Category
from stress.model.verdict import Finding
from stress.text.escape import printable
from stress.trust.policy import CommonName
from stress.trust.reading.certificate import CertificateFacts, short_name
from stress.trust.reading.extension import Address, GeneralNames, NameConstraints
from stress.trust.reading.name import NormalName
from stress.trust.rules.context import Context

# Compares the host that was asked for with the names of a certificate (RFC 9525 section 6).

_LONGEST_NAME = 253
"""Characters of a host name (RFC 1035 section 2.3.4); what is longer names no host."""


def names_host(facts: CertificateFacts, host: str) -> bool:
    """Whether the subjectAltName holds the host (a name or an address literal)."""
    names = facts.alternative_names
    if names is None:
        return False
    address = literal(host)
    if address is not None:
        return address in names.addresses
    wanted = ascii_name(host)
    return any(covers(ascii_name(pattern), wanted) for pattern in names.dns)


def common_name_is(facts: CertificateFacts, host: str) -> bool:
    """Whether the CN would do for the host, for clients that still look at it."""
    if facts.common_name is None:
        return False
    address = literal(host)
    if address is not None:
        return literal(facts.common_name) == address
    return covers(ascii_name(facts.common_name), ascii_name(host))


def covers(pattern: str, name: str) -> bool:
    """Whether a name from a certificate stands for `name`; both lower case, without final dot.

    A `*` is the whole first label and stands for exactly one; `*.com` stands for nothing.
    """
    if not pattern.startswith("*."):
        return pattern == name and bool(name)
    first, dot, rest = name.partition(".")
    return bool(first) and bool(dot) and rest == pattern[2:] and "." in rest


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The host as an address; None: it is a name. Brackets are dropped, and an IPv6 zone."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


# Every policy compares the same names again, and IDNA is slow.
@lru_cache(maxsize=4096)
def ascii_name(name: str) -> str:
    """The name as it stands in certificates: lower case, A-labels, without a final dot."""
    if not name.isascii() and len(name) <= _LONGEST_NAME:
        # A label that is empty, too long or no IDNA is compared as it is.
        with suppress(UnicodeError):
            name = name.encode("idna").decode("ascii")
    return name.removesuffix(".").lower()


_MOST_COMPARISONS = 250_000
"""Names times constraints of one issuer; Go's limit (crypto/x509 maxConstraintComparisons)."""


def name_findings(question: Context) -> Iterator[Finding]:
    """The certificate must name the host, in the place where the policy looks.

    `no-san` says that there is no name where clients look; `hostname-mismatch` that no name,
    wherever it stands, is the host. A certificate can be both.
    """
    leaf, host = question.leaf, question.host
    if not host or names_host(leaf, host):
        return
    fits = common_name_is(leaf, host)
    counts = _common_name_counts(leaf, question.policy.common_name, address=bool(literal(host)))
    if fits and counts:
        return
    if leaf.sans or counts or not fits:
        shown = printable(host, 80)
        yield Finding(Category.HOSTNAME_MISMATCH, 0, f"is for {_named(leaf)}, not for {shown}")
    if not leaf.sans and not counts:
        common = printable(leaf.common_name, 80) if leaf.common_name else "none"
        yield Finding(Category.NO_SAN, 0, f"no subjectAltName; its CN is {common}")


def _common_name_counts(leaf: CertificateFacts, rule: CommonName, *, address: bool) -> bool:
    """Whether the policy looks at the CN of this certificate, for a name or an address."""
    names = _names(leaf)
    if rule is CommonName.NAMES:
        return not address and not names.dns
    return rule is CommonName.ALONE and not names.dns and not names.addresses


def _named(leaf: CertificateFacts) -> str:
    names = leaf.sans or ((leaf.common_name,) if leaf.common_name else ())
    shown = ", ".join(printable(name, 60) for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{shown}{more}" if shown else "no name"


def constraint_findings(question: Context) -> Iterator[Finding]:
    """No issuer may be forbidden to speak for what is below it (RFC 5280 section 4.2.1.10).

    What is below: the leaf with all its names, and the issuers in between, except those that signed
    themselves over to a new key (self-issued).
    """
    for place, link in enumerate(question.path.links):
        constraints = link.facts.constraints
        if place == 0 or constraints is None:
            continue
        below = [one.facts for one in question.path.links[1:place] if not one.facts.self_issued]
        told = (_forbidden(facts, _names(facts), constraints) for facts in below)
        forbidden = _forbidden(question.leaf, _names_of_leaf(question), constraints)
        forbidden = forbidden or next(filter(None, told), "")
        if forbidden:
            detail = f"{short_name(link.facts)} may not issue for {forbidden}"
            yield Finding(Category.NAME_CONSTRAINTS, link.position, detail)


def _forbidden(facts: CertificateFacts, names: GeneralNames, constraints: NameConstraints) -> str:
    """The first name of a certificate that is not allowed, as text; empty when all are."""
    permitted, excluded = constraints.permitted, constraints.excluded
    bases = sum(len(kind.dns) + len(kind.networks) for kind in (permitted, excluded))
    if bases * (len(names.dns) + len(names.addresses)) > _MOST_COMPARISONS:
        return "so many names that nobody compares them"
    for name in names.dns:
        inside = [_in_domain(name, base) for base in permitted.dns]
        if (inside and not any(inside)) or any(_in_domain(name, base) for base in excluded.dns):
            return printable(name, 80)
    for address in names.addresses:
        inside = [_in_network(address, base) for base in permitted.networks]
        outside = any(_in_network(address, base) for base in excluded.networks)
        if (inside and not any(inside)) or outside:
            return str(address)
    subject = facts.subject_name.normal
    inside = [_below(subject, base.normal) for base in permitted.directories]
    if subject and inside and not any(inside):
        return printable(facts.subject, 80)
    if any(_below(subject, base.normal) for base in excluded.directories):
        return printable(facts.subject, 80)
    return ""


def _names(facts: CertificateFacts) -> GeneralNames:
    return facts.alternative_names or GeneralNames()


def _names_of_leaf(question: Context) -> GeneralNames:
    """Those of its subjectAltName, and its CN where the policy takes that for a name."""
    leaf = question.leaf
    common = leaf.common_name or ""
    if _common_name_counts(leaf, question.policy.common_name, address=False) and _is_name(common):
        return replace(_names(leaf), dns=(common,))
    return _names(leaf)


def _is_name(text: str) -> bool:
    """Whether a CN could be a host name, as OpenSSL tells (`cn2dnsid` in v3_ncons.c)."""
    return "." in text.strip(".") and re.fullmatch(r"[A-Za-z0-9_.-]+", text) is not None


def _in_domain(name: str, base: str) -> bool:
    """A base stands for itself and for everything below it; an empty one for every name.

    With a dot in front it stands for what is below it only: so do OpenSSL, Go, Chrome and Java,
    although RFC 5280 speaks of such a dot for URIs alone.
    """
    wanted, below = ascii_name(base), ascii_name(name)
    if wanted.startswith("."):
        return below.endswith(wanted)
    return not wanted or below == wanted or below.endswith("." + wanted)


def _in_network(address: Address, base: bytes) -> bool:
    """The base is an address and a mask of the same size."""
    octets = address.packed
    if len(base) != 2 * len(octets):
        return False
    network, mask = base[: len(octets)], base[len(octets) :]
    return all((a ^ n) & m == 0 for a, n, m in zip(octets, network, mask, strict=True))


def _below(subject: NormalName, base: NormalName) -> bool:
    return subject[: len(base)] == base
