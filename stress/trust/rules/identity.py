"""Rules about names: is the certificate for this host, and may its issuers certify it.

Names are compared as RFC 9525 section 6 says: by the subjectAltName, and by the CN only for the
clients that still look at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Literal

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.trust.policy import Settings
from stress.trust.reading.certificate import CertificateFacts, short_name, shown_names
from stress.trust.reading.der import single
from stress.trust.reading.extension import GeneralNames, NameConstraints
from stress.trust.rules.context import Context

_HOST_NAME = re.compile(r"([a-z0-9_][a-z0-9_-]*\.)*[a-z0-9_][a-z0-9_-]*")
_LETTERS_DIGITS_HYPHENS = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.|$))+")
_UNREAD_COMMON_NAME = re.compile(rb"\x06\x03\x55\x04\x03[\x16\x1c]")
"""How a CN begins that is an IA5String or a UniversalString."""
_MAILBOX = re.compile(r'("[^"]*"|[^@"\s]+)@[^\s]*')
_LONGEST_NAME = 253
"""Characters of a host name (RFC 1035 section 2.3.4); longer text is not a host name."""
_MOST_COMPARISONS = 250_000
"""Names times constraints of one issuer; Go's limit (crypto/x509 maxConstraintComparisons)."""


class CommonName(StrEnum):
    """When the CN stands in for the subjectAltName."""

    NEVER = "never"
    NAMES = "names"
    """For a host name, if the subjectAltName has no DNS name; never for an address."""
    SINGLE = "single"
    """For a host name, if the leaf is for servers, and has one CN and no name, address or URI
    in a subjectAltName."""
    ALONE = "alone"
    """For names and addresses, if the subjectAltName has neither."""


class IdentitySettings(Settings, frozen=True):
    """Where the host's name is looked for."""

    common_name: CommonName = CommonName.NEVER
    final_dot: bool = True
    """A final dot of a name in the certificate is ignored."""
    equal_final_dots: bool = False
    """Where it is not, a name and a host that both have one are the same."""
    host_final_dot: bool = True
    """A final dot of the host is ignored."""
    wildcard_letters: bool = False
    """A wildcard stands for letters, digits and hyphens only."""
    constrained_common_name: Literal["dotted", "any", "unnamed"] = "dotted"
    """Which CN is constrained as a name where it counts as one: with a dot in it; or any, and an
    address as an address. `unnamed`: as `dotted`, wherever there is no subjectAltName."""
    constrained: tuple[str, ...] = ("dns", "networks", "directories", "mails", "uris")
    """Kinds of names that name constraints limit."""
    named_uris: Literal["", "uris", "any"] = ""
    """Below which constraints a URI is refused whose host is an address or empty, and a mail
    address that is none: none, those of URIs, or any."""
    partial_wildcards: Literal["", "leading", "one", "first", "any"] = ""
    """Of which labels a `*` stands for any letters (`leading`: at the beginning of the first;
    `one`: anywhere in it, once); else it is the whole first label."""
    host_names_only: bool = False
    """A host that is no host name (with an underscore) matches nothing."""
    constraint_final_dot: bool | None = None
    """It is ignored in name constraints; None: as in names."""
    constrained_issuers: Literal["none", "below", "all", "own"] = "below"
    """Which issuers name constraints limit, too: none, those below but for self-issued ones, all
    below, or the one that has them itself."""
    anchor_constraints: bool = True
    """Name constraints of an anchor count."""
    mapped_addresses: bool = False
    """An IPv4 address written as IPv6 is that address."""
    uncompared_names: Literal["", "critical", "any"] = ""
    """Below which constraints a name is refused that is of a kind that they hold, but that is not
    compared: none, critical ones, or any."""
    excluded_directories: bool = False
    """An excluded directoryName covers every name; else what begins with it."""
    readable_names: bool = False
    """A dNSName in name constraints that is no name is refused when compared (mozilla::pkix)."""
    empty_constraints: bool = True
    """An empty dNSName in name constraints covers every name; else it is refused when compared."""
    readable_constraints: bool = False
    """Constraints that cannot be read, or of kinds that are not compared, allow nothing."""
    masked_constraints: bool = False
    """A constraint of addresses without a mask is refused when there is an address; any of
    addresses when there is one of another length."""
    constrained_apart: tuple[str, ...] = ()
    """What is no matter of constraints: `networks` of the other version of IP, `ipv4` networks for
    an IPv6 address, or `uris` without a host."""
    no_ipv6_in: str = ""
    """A version of the client in which no IPv6 address matches."""
    whole_names: bool = False
    """A subjectAltName with octets behind it counts as none."""
    exact_directories: bool = False
    """Directory names are compared octet by octet, and an empty subject, too."""
    wildcards_excluded: bool = False
    """A `*` is excluded with any of the names that it stands for."""
    last_common_name: bool = False
    """Of several CNs the last one counts."""
    wildcard_labels: int = 2
    """Labels behind a `*` that matches."""
    letters_digits_hyphens: bool = False
    """A host that is no host name matches only itself, no wildcard."""
    extensions_by_version: bool = False
    """A certificate of version 1 or 2 has no extensions, whatever it holds."""
    bounded_constraints: bool = True
    """Subtrees with a minimum or maximum are taken as if they had none; else refused."""


def names_host(facts: CertificateFacts, host: str, settings: IdentitySettings) -> bool:
    """Whether the subjectAltName holds the host (a name or an address literal)."""
    names = facts.alternative_names
    if names is None:
        return False
    address = literal(host)
    if address is not None:
        mapped = [getattr(one, "ipv4_mapped", None) for one in names.addresses]
        return address in names.addresses or (settings.mapped_addresses and address in mapped)
    return _any_covers(names.dns, host, settings)


def _any_covers(patterns: Sequence[str], host: str, settings: IdentitySettings) -> bool:
    """Whether one of the names, which may have wildcards, matches a host that is no address."""
    wanted = ascii_name(host)
    dotted = f"{wanted}." in map(str.lower, patterns)
    if settings.equal_final_dots and host.endswith(".") and dotted:
        return True
    if not settings.host_final_dot and host.endswith("."):
        return False
    if settings.host_names_only and not _LETTERS_DIGITS_HYPHENS.fullmatch(wanted):
        return False
    exact = not settings.letters_digits_hyphens or _HOST_NAME.fullmatch(wanted)
    if settings.wildcard_letters and "_" in wanted:
        exact = None
    cover = _COVERS[settings.partial_wildcards]
    return any(
        cover(pattern.removesuffix(".").lower(), wanted, settings.wildcard_labels)
        for pattern in patterns
        if (exact or "*" not in pattern) and (settings.final_dot or not pattern.endswith("."))
    )


def common_name_is(facts: CertificateFacts, host: str, settings: IdentitySettings) -> bool:
    """Whether the CN matches the host, for clients that still look at it."""
    names, address = facts.subject_name.common_names, literal(host)
    names = names[-1:] if settings.last_common_name else names
    if address is not None:
        return address in map(literal, names)
    return _any_covers(names, host, settings)


def covers(pattern: str, name: str, wildcard_labels: int = 2) -> bool:
    """Whether a name from a certificate matches `name`; both lower case, without final dot.

    A `*` must be the whole first label and matches exactly one label, with so many behind it: in
    most clients `*.com` matches nothing, in few `*` matches a name of one label.
    """
    if pattern == "*" and not wildcard_labels:
        return bool(name) and "." not in name
    if not pattern.startswith("*."):
        return pattern == name and bool(name)
    first, dot, rest = name.partition(".")
    enough = rest.count(".") >= wildcard_labels - 1
    return bool(first and dot) and rest == pattern[2:] and enough


def _covers_partly(pattern: str, name: str, wildcard_labels: int, *, first: bool = False) -> bool:
    """As `covers`, but a `*` may be any part of any label, or of the first."""
    labels, wanted = (_unicode(text).split(".") for text in (pattern, name))
    behind = pattern.rpartition("*")[2].partition(".")[2]
    if "*" in pattern and not (behind and covers(f"*.{behind}", f"x.{behind}", wildcard_labels)):
        return False
    if first and any("*" in label for label in labels[1:]):
        return False
    forms = (re.escape(label).replace(r"\*", "[^.]*") for label in labels)
    return (
        len(labels) == len(wanted)
        and bool(name)
        and all(re.fullmatch(form, label) for form, label in zip(forms, wanted, strict=True))
    )


def _covers_once(pattern: str, name: str, wildcard_labels: int, *, leading: bool = False) -> bool:
    """As `covers`, but one `*` may be a part of the first label, or its beginning, and be empty.

    In an A-label it stands for itself.
    """
    start, star, end = pattern.partition("*")
    if not star or "*" in end or "." in start or "xn--" in start + end.partition(".")[0]:
        return pattern == name and bool(name)
    if (leading and start) or len(name) < len(start + end):
        return False
    middle = name.removeprefix(start).removesuffix(end)
    fits = name.startswith(start) and name.endswith(end) and "." not in middle
    return fits and end.count(".") >= wildcard_labels


_COVERS: Mapping[str, Callable[[str, str, int], bool]] = {
    "": covers,
    "any": _covers_partly,
    "leading": partial(_covers_once, leading=True),
    "one": _covers_once,
    "first": partial(_covers_partly, first=True),
}


def _unicode(name: str) -> str:
    """The name with its letters instead of A-labels, as far as they decode."""
    with suppress(UnicodeError):
        return name.encode("ascii").decode("idna")
    return name


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The host as an address, without brackets or IPv6 zone; None: it is a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


# Every policy compares the same names again, and IDNA is slow.
@lru_cache(maxsize=4096)
def ascii_name(name: str) -> str:
    """The name as in certificates: lower case, A-labels, without a final dot."""
    if not name.isascii() and len(name) <= _LONGEST_NAME:
        # A label that is empty, too long or invalid IDNA is compared as it is.
        with suppress(UnicodeError):
            name = name.encode("idna").decode("ascii")
    return name.removesuffix(".").lower()


def name_findings(context: Context) -> Iterator[Finding]:
    """The certificate must name the host, in the place where the policy looks.

    `no-san` says that there is no name where clients look; `hostname-mismatch` that no name in
    either place is the host. A certificate can be both.
    """
    leaf, host = context.leaf, context.host
    settings = context.policy.settings(IdentitySettings)
    ignored = settings.extensions_by_version and leaf.version < 3
    ignored |= settings.whole_names and "subjectAltName end" in leaf.broken
    if not host or (names_host(leaf, host, settings) and not ignored):
        if settings.no_ipv6_in and isinstance(literal(host), IPv6Address):
            detail = (
                f"names {printable(host, 80)}, but {settings.no_ipv6_in} compares no IPv6 address"
            )
            yield Finding(Category.HOSTNAME_MISMATCH, 0, detail, Refusal.SOMETIMES)
        return
    fits = common_name_is(leaf, host, settings)
    counts = _common_name_counts(context, address=bool(literal(host)))
    if fits and counts:
        return
    if ignored:
        detail = f"no subjectAltName that counts (version {leaf.version})"
        yield Finding(Category.NO_SAN, 0, detail)
    elif leaf.sans or counts or not fits:
        named = shown_names(leaf)
        detail = f"is for {named}, not for {printable(host, 80)}"
        yield Finding(Category.HOSTNAME_MISMATCH, 0, detail)
    if not leaf.sans and not counts:
        common = printable(leaf.common_name, 80) if leaf.common_name else "none"
        yield Finding(Category.NO_SAN, 0, f"no subjectAltName; its CN is {common}")


def _common_name_counts(context: Context, *, address: bool) -> bool:
    """Whether the policy looks at the leaf's CN, for a name or an address."""
    rule = context.policy.settings(IdentitySettings).common_name
    names = context.leaf.alternative_names or GeneralNames()
    if rule is CommonName.SINGLE:
        # As GnuTLS's hostname-verify.c: an IA5String is no DirectoryString, and not read; nor is
        # a UniversalString.
        leaf, purposes = context.leaf, {"serverAuth", "anyExtendedKeyUsage"}
        purposes.intersection_update(leaf.purposes or purposes)
        other = names.dns or names.addresses or names.uris
        readable = not _UNREAD_COMMON_NAME.search(leaf.subject_name.der)
        single = readable and len(leaf.subject_name.common_names) == 1
        return not address and not other and bool(purposes) and single
    if rule is CommonName.NAMES:
        return not address and not names.dns
    return rule is CommonName.ALONE and not names.dns and not names.addresses


def constraint_findings(context: Context) -> Iterator[Finding]:
    """No issuer may certify names outside its constraints (RFC 5280 section 4.2.1.10).

    They apply to the leaf with all its names and to the issuers in between, except self-issued
    ones (a CA that certifies a new key of its own).
    """
    leaf = context.leaf
    names = leaf.alternative_names or GeneralNames()
    # Where the policy takes the CN for a name it is constrained, too, if it could be a host name
    # (OpenSSL's `cn2dnsid` in v3_ncons.c, Java's NameConstraintsExtension).
    settings = context.policy.settings(IdentitySettings)
    common, every = leaf.common_name or "", settings.constrained_common_name == "any"
    if every:
        is_name = bool(_LETTERS_DIGITS_HYPHENS.fullmatch(common.lower()))
    else:
        is_name = "." in common.strip(".") and bool(re.fullmatch(r"[A-Za-z0-9_.-]+", common))
    address = literal(common) if every else None
    if address is not None:
        names = replace(names, addresses=names.addresses or (address,))
    elif is_name and (
        _common_name_counts(context, address=False)
        or (settings.constrained_common_name == "unnamed" and leaf.alternative_names is None)
    ):
        names = replace(names, dns=(common,))
    bounded = settings.bounded_constraints
    for place, link in enumerate(context.path.links):
        constraints = link.facts.constraints
        at_anchor = context.anchored and link is context.path.top
        if place and settings.readable_constraints and _unusable(link.facts):
            detail = f"{short_name(link.facts)} has name constraints that cannot be used"
            check = "unusable-constraints"
            yield Finding(Category.NAME_CONSTRAINTS, link.position, detail, check=check)
            continue
        if place == 0 or constraints is None or (at_anchor and not settings.anchor_constraints):
            continue
        if constraints.bounded and not bounded:
            detail = f"{short_name(link.facts)} has name constraints with a minimum or maximum"
            yield Finding(Category.NAME_CONSTRAINTS, link.position, detail)
        critical = "nameConstraints" in link.facts.critical_extensions
        forbidden = (
            printable(next(_outright(*one, constraints, settings, critical=critical), ""), 80)
            or _forbidden(*one, constraints, settings)
            for one in [(leaf, names), *_constrained_issuers(context, place, settings)]
        )
        first = next(filter(None, forbidden), "")
        if first:
            detail = f"{short_name(link.facts)} may not issue for {first}"
            yield Finding(Category.NAME_CONSTRAINTS, link.position, detail)


def _constrained_issuers(
    context: Context, place: int, settings: IdentitySettings
) -> Iterator[tuple[CertificateFacts, GeneralNames]]:
    """The issuers that the constraints of one of them limit, and their names.

    Where any CN is taken for a name, theirs are, too.
    """
    links, rule = context.path.links, settings.constrained_issuers
    below = [links[place]] if rule == "own" else links[1:place] if rule != "none" else ()
    for facts in (one.facts for one in below):
        if rule == "below" and facts.self_issued:
            continue
        names, common = facts.alternative_names or GeneralNames(), facts.common_name or ""
        if settings.constrained_common_name == "any" and not (names.dns or names.addresses):
            address = literal(common)
            if address is not None:
                names = replace(names, addresses=(address,))
            elif _LETTERS_DIGITS_HYPHENS.fullmatch(common.lower()):
                names = replace(names, dns=(common,))
        yield facts, names


RULES = (name_findings, constraint_findings)


def _outright(
    facts: CertificateFacts,
    names: GeneralNames,
    constraints: NameConstraints,
    settings: IdentitySettings,
    *,
    critical: bool,
) -> Iterator[str]:
    """Names that a client refuses without a comparison, by what the constraints hold."""
    both = (constraints.permitted, constraints.excluded)
    uris = any(one.uris for one in both)
    if settings.uncompared_names == "any" or (settings.uncompared_names and critical):
        yield from names.uris if uris else ()
        if names.others and any(one.others for one in both):
            yield "a name of a kind that is not compared"
    if settings.named_uris:
        hosts = {uri: _host_of(uri) for uri in names.uris if uris or settings.named_uris == "any"}
        yield from (uri for uri, host in hosts.items() if not host or literal(host) is not None)
        yield from (mail for mail in names.mails if not _MAILBOX.fullmatch(mail))
    bases = [base.lower().removeprefix(".") for one in both for base in one.dns]
    if settings.readable_names and any(base and not _HOST_NAME.fullmatch(base) for base in bases):
        yield from names.dns
    for name in names.dns if not settings.empty_constraints else ():
        # The first subtree that permits a name ends the search for it.
        permitting = (base for base in constraints.permitted.dns if _in_domain(name, base))
        if next(permitting, None) == "" or "" in constraints.excluded.dns:
            yield name
    if settings.masked_constraints:
        yield from _unmasked(names, both)
    if constraints.excluded.directories and settings.excluded_directories:
        yield facts.subject_name.text or "any name"


def _unmasked(names: GeneralNames, both: Sequence[GeneralNames]) -> Iterator[str]:
    """Addresses that cannot be compared: for want of a mask, or of another length."""
    if any(one.addresses or _odd_networks(one) for one in both):
        yield from map(str, names.addresses)
    if any(one.networks for one in both):
        yield from ("an address of another length" for _ in names.networks)


def _forbidden(
    facts: CertificateFacts,
    names: GeneralNames,
    constraints: NameConstraints,
    settings: IdentitySettings,
) -> str:
    """The first name of a certificate that is not allowed, as text; empty if all are."""
    permitted, excluded = constraints.permitted, constraints.excluded
    count = sum(len(kind.dns) + len(kind.networks) for kind in (permitted, excluded))
    if count * (len(names.dns) + len(names.addresses)) > _MOST_COMPARISONS:
        return "more names than clients compare"
    final_dot = settings.constraint_final_dot
    final_dot = settings.final_dot if final_dot is None else final_dot
    exact = settings.exact_directories
    named = bool(facts.subject_name.normal) or exact
    subjects = (*((facts.subject_name,) if named else ()), *names.directories)
    compared: dict[str, tuple[tuple[Any, ...], Callable[[Any, Any], bool]]] = {
        "dns": (names.dns, partial(_in_domain, final_dot=final_dot)),
        "networks": (names.addresses, _in_network),
        "mails": (names.mails, _in_mailboxes),
        "uris": (names.uris, _in_hosts),
        "directories": (
            subjects,
            lambda name, base: (
                single(name.der).body.startswith(single(base.der).body)
                if exact
                else name.normal[: len(base.normal)] == base.normal
            ),
        ),
    }
    for kind, (those, within) in compared.items():
        for name in those if kind in settings.constrained else ():
            bases = getattr(permitted, kind)
            if kind == "networks":
                size, apart = 2 * len(name.packed), settings.constrained_apart
                least, most = (size if "ipv4" in apart else 0), 99
                least, most = (size, size) if "networks" in apart else (least, most)
                bases = [base for base in bases if least <= len(base) <= most]
            if "uris" in settings.constrained_apart and kind == "uris" and not _host_of(name):
                continue
            inside = [within(name, base) for base in bases]
            outside = any(within(name, base) for base in getattr(excluded, kind))
            if kind == "dns" and settings.wildcards_excluded and name.startswith("*."):
                outside |= any(base.partition(".")[2] == name[2:] for base in excluded.dns)
            if (inside and not any(inside)) or outside:
                return printable(getattr(name, "text", str(name)), 80) or "an empty name"
    return ""


def _unusable(facts: CertificateFacts) -> bool:
    """Whether name constraints cannot be read, or hold what is no name to compare."""
    limits = facts.constraints
    broken = any(part.startswith("nameConstraints") for part in facts.broken)
    if broken or limits is None:
        return broken
    both = (limits.permitted, limits.excluded)
    masked = all(_is_mask(octets[len(octets) // 2 :]) for one in both for octets in one.networks)
    odd = any(one.others or one.addresses or _odd_networks(one) for one in both)
    return odd or not masked


def _is_mask(octets: bytes) -> bool:
    """Ones, then zeros."""
    zeros = int.from_bytes(octets, "big") ^ ((1 << 8 * len(octets)) - 1)
    return zeros & (zeros + 1) == 0


def _odd_networks(names: GeneralNames) -> bool:
    return any(len(one) not in {8, 32} for one in names.networks)


def _in_domain(name: str, base: str, *, final_dot: bool = True) -> bool:
    """A base covers itself and everything below it; an empty one covers every name.

    With a leading dot it covers only what is below it: OpenSSL, Go, Chrome and Java do this,
    although RFC 5280 defines such a dot for URIs alone.
    """
    wanted, below = ascii_name(base), ascii_name(name)
    if not final_dot and name.endswith(".") != base.endswith(".") and base:
        return False
    if wanted.startswith("."):
        return below.endswith(wanted)
    return not wanted or below == wanted or below.endswith("." + wanted)


def _in_mailboxes(mail: str, base: str) -> bool:
    """A base is a mailbox, a host, or with a leading dot everything below it."""
    mailbox, _, domain = mail.rpartition("@")
    wanted, _, base_domain = base.rpartition("@")
    if wanted:
        return mailbox == wanted and domain.lower() == base_domain.lower()
    return _in_domain(domain, base)


def _host_of(uri: str) -> str:
    return uri.partition("://")[2].partition("/")[0].partition(":")[0].lower()


def _in_hosts(uri: str, base: str) -> bool:
    """The base is a host, or with a leading dot everything below it."""
    host = _host_of(uri)
    return host.endswith(base.lower()) if base.startswith(".") else host == base.lower()


def _in_network(address: IPv4Address | IPv6Address, base: bytes) -> bool:
    """The base is an address and a mask of the same size."""
    octets = address.packed
    if len(base) != 2 * len(octets):
        return False
    network, mask = base[: len(octets)], base[len(octets) :]
    return all((a ^ n) & m == 0 for a, n, m in zip(octets, network, mask, strict=True))
