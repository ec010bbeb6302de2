"""Rules about names: is it the host's certificate, and may its issuers speak for the host."""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.outcome import Category
from stress.model.verdict import Finding
from stress.trust.certificate import CertificateFacts, short_name
from stress.trust.extension import Address, GeneralNames
from stress.trust.hostname import ascii_name, common_name_is, literal, names_host
from stress.trust.name import NormalName
from stress.trust.printable import printable
from stress.trust.question import Question

_MOST_COMPARISONS = 250_000
"""Names times constraints of one issuer; Go's limit (crypto/x509 maxConstraintComparisons)."""


def name_findings(question: Question) -> Iterator[Finding]:
    """The certificate must name the host, in the place where the policy looks.

    `no-san` says that there is no name where clients look; `hostname-mismatch` that no name,
    wherever it stands, is the host. A certificate can be both.
    """
    leaf, host = question.leaf, question.host
    if not host or names_host(leaf, host):
        return
    fits = common_name_is(leaf, host) and _may_look_at_common_name(leaf, host)
    if fits and question.policy.common_name:
        return
    if not fits:
        shown = printable(host, 80)
        yield Finding(Category.HOSTNAME_MISMATCH, 0, f"is for {_named(leaf)}, not for {shown}")
    if not leaf.sans and not question.policy.common_name:
        common = printable(leaf.common_name, 80) if leaf.common_name else "none"
        yield Finding(Category.NO_SAN, 0, f"no subjectAltName; its CN is {common}")


def _may_look_at_common_name(leaf: CertificateFacts, host: str) -> bool:
    """The CN counts only where the subjectAltName has no name of that kind."""
    names = leaf.alternative_names
    if names is None:
        return True
    return not (names.addresses if literal(host) else names.dns)


def _named(leaf: CertificateFacts) -> str:
    names = leaf.sans or ((leaf.common_name,) if leaf.common_name else ())
    shown = ", ".join(printable(name, 60) for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{shown}{more}" if shown else "no name"


def constraint_findings(question: Question) -> Iterator[Finding]:
    """No issuer may be forbidden to speak for a name of the leaf (RFC 5280 section 4.2.1.10)."""
    for link in question.issuers:
        constraints = link.facts.constraints
        if constraints is None:
            continue
        forbidden = _forbidden(question.leaf, constraints.permitted, constraints.excluded)
        if forbidden:
            detail = f"{short_name(link.facts)} may not issue for {forbidden}"
            yield Finding(Category.NAME_CONSTRAINTS, link.position, detail)


def _forbidden(leaf: CertificateFacts, permitted: GeneralNames, excluded: GeneralNames) -> str:
    """The first name of the leaf that is not allowed, as text; empty when all are."""
    names = leaf.alternative_names or GeneralNames()
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
    subject = leaf.subject_name.normal
    inside = [_below(subject, base.normal) for base in permitted.directories]
    if subject and inside and not any(inside):
        return printable(leaf.subject, 80)
    if any(_below(subject, base.normal) for base in excluded.directories):
        return printable(leaf.subject, 80)
    return ""


def _in_domain(name: str, base: str) -> bool:
    """A base stands for itself and for everything below it; an empty one for every name."""
    wanted, below = ascii_name(base).removeprefix("."), ascii_name(name)
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
