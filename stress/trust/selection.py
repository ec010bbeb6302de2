"""The one path that OpenSSL takes, which it never goes back on.

OpenSSL chooses each issuer by name, key identifier and kind of key, anchors first, one that is
valid now before others; only when the path is complete it verifies signatures and everything else
(x509_vfy.c, `build_chain`). So a chain with a good path can be refused for another path's fault,
and a wrong signature is found although no path in the sense of `path.py` exists.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise

from stress.model.chain import Finding
from stress.model.outcome import Category
from stress.trust.path import Gap, Issuers, Link, Path, Signature, check
from stress.trust.reading.certificate import CertificateFacts, short_name, shown_issuer
from stress.trust.reading.extension import Name
from stress.trust.reading.key import KeyKind

_PARTS = frozenset(
    {
        "basicConstraints",
        "cRLDistributionPoints",
        "extendedKeyUsage",
        "keyUsage",
        "nameConstraints",
        "subjectAltName",
        "subjectKeyIdentifier",
        "authorityKeyIdentifier",
    }
)
"""Extensions that are decoded before all else (`ossl_x509v3_cache_extensions`)."""
_DEPTH = 100
_IA5 = re.compile(rb"\x06\x03\x55\x04.\x16", re.DOTALL)
"""An attribute of X.520 that is an IA5String."""


def invalid(facts: CertificateFacts) -> bool:
    """Whether an extension cannot be used, so that the certificate neither has nor is an issuer."""
    if facts.netscape_type == -1:
        return True
    if "proxyCertInfo" in facts.named_extensions and (facts.is_ca or facts.sans):
        return True
    if facts.usages == () or (facts.is_ca and (facts.path_length or 0) < 0):
        return True
    broken = {part.removesuffix(" form").removesuffix(" padding") for part in facts.broken}
    return not _PARTS.isdisjoint(broken) or not _PARTS.isdisjoint(facts.duplicates)


def selection_gap(path: Path, sent: Sequence[CertificateFacts], *, found: bool) -> Gap | None:
    """Why the path goes no further, where that is due to how it was selected; else None.

    Args:
        path: as selected, without an anchor.
        sent: the chain in the order sent.
        found: a search that tries every path would have found one.
    """
    top = path.top
    next_ones = [
        Link(facts, place)
        for place, facts in enumerate(sent)
        if place and not facts.unreadable and _follows(facts, top.facts) and not facts.self_issued
    ]
    for link in (top, *next_ones):
        if invalid(link.facts):
            detail = f"{short_name(link.facts)} has an extension that cannot be used"
            detail += ", so that OpenSSL finds no issuer"
            return Gap(Category.MALFORMED_CERTIFICATE, link.position, detail)
    if not top.position and top.facts.self_issued and not _self_signed(top.facts):
        detail = (
            f"{short_name(top.facts)} names itself as the issuer, but cannot have signed itself"
        )
        return Gap(Category.UNTRUSTED_ROOT, top.position, detail)
    unused = [link for link in next_ones if link not in path.links]
    if unused and top is path.links[-1] and not top.facts.self_issued:
        detail = f"{short_name(unused[0].facts)} has the issuer's name, but another key identifier"
        detail += " or a key that could not have signed"
        return Gap(Category.WRONG_INTERMEDIATE, unused[0].position, detail)
    if found and top.position:
        detail = f"{short_name(top.facts)} leads to no trust anchor; OpenSSL tries no other path"
        return Gap(Category.UNTRUSTED_ROOT, top.position, detail)
    return None


def select(
    sent: Sequence[CertificateFacts],
    anchors: Issuers,
    at: int,
    *,
    partial_chain: bool,
    schemes: Container[str],
) -> tuple[Path, bool]:
    """The path from the first certificate, which is readable, and whether it ends in an anchor.

    Args:
        sent: the chain in the order sent.
        anchors: where a path may end.
        at: Unix seconds; of several issuers the first that is valid then is taken.
        partial_chain: an anchor may be any certificate, not only a self-signed one.
        schemes: signature schemes that are known.
    """
    links = [Link(sent[0], 0)]
    rest = [Link(facts, place) for place, facts in enumerate(sent) if not facts.unreadable]
    untrusted = True
    while len(links) <= _DEPTH:
        top = links[-1].facts
        named = anchors.named(top.issuer_name.normal)
        readable = top.inner_scheme in schemes
        found = _issuer(top, [Link(one, None) for one in named if readable], at)
        if found is not None and _self_signed(top):
            # Only that very certificate counts, else it would be a substitute with another key.
            if found.facts.der == top.der:
                return Path(tuple(links)), True
        elif found is not None:
            links.append(found)
            untrusted = False
            if partial_chain or _self_signed(found.facts):
                return Path(tuple(links)), True
            continue
        if not untrusted or _self_signed(top):
            break
        inside = {one.facts.der for one in links}
        candidates = [one for one in rest if readable and one.facts.der not in inside]
        found = _issuer(top, candidates, at)
        if found is None:
            break
        links.append(found)
    anchored = partial_chain and any(
        one.der == links[0].facts.der for one in anchors.named(links[0].facts.subject_name.normal)
    )
    return Path(tuple(links[:1] if anchored else links)), anchored


def in_order(sent: Sequence[CertificateFacts], anchors: Issuers) -> tuple[Path, ...] | None:
    """The paths of a chain that was sent in order, as Java's PKIXValidator takes it.

    Returns:
        One path for each anchor that may have issued the last certificate below it; None: the chain
        is not in order or no anchor has the right name, and Java searches.
    """
    if any(one.der == sent[0].der for one in anchors.named(sent[0].subject_name.normal)):
        return (Path((Link(sent[0], 0),)),)
    links: list[Link] = []
    for place, facts in enumerate(sent):
        if facts.unreadable or (links and not _follows(facts, links[-1].facts)):
            return None
        if links and anchors.same_key(facts) is not None:
            break
        links.append(Link(facts, place))
    last = links[-1].facts
    named = anchors.named(last.issuer_name.normal)
    if not named:
        return None
    return tuple(Path((*links, Link(one, None))) for one in named if identified(one, last))


def lined_up(
    sent: Sequence[CertificateFacts], anchors: Issuers, at: int
) -> list[tuple[Path, bool]]:
    """The paths that GnuTLS takes, and whether they end in an anchor; at least one.

    Each certificate is followed by the first one sent that may have issued it. Where no anchor may
    have issued the last of them, the next certificate that was sent follows all the same, and a
    line behind it. Then only anchors of one name are known: that of the last one's issuer; and if
    that leads nowhere, or to something expired, that of the last one itself (verify-high.c,
    `gnutls_x509_trust_list_verify_crt2`).
    """
    links = _line(sent, anchors)
    if len(links) > 1 and _may_follow(links[-1].facts, links[-1].facts):
        links.pop()
    last = links[-1].facts
    first = _anchored(links, _named(anchors, last.issuer_name), at)
    own = _named(anchors, last.subject_name)
    if not own or last.subject_name.der == last.issuer_name.der:
        return [first]
    expired = any(one.facts.not_after < at for one in first[0].links)
    second = [_anchored(links, own, at)]
    return [first, *second] if first[1] and expired else [first] if first[1] else second


def unlinked(path: Path) -> Iterator[Finding]:
    """Pairs of a line of which the second cannot have issued the first."""
    for child, issuer in pairwise(path.links):
        if _may_follow(issuer.facts, child.facts):
            continue
        whom = "the leaf" if child.position == 0 else short_name(child.facts)
        shown, wanted = short_name(issuer.facts), shown_issuer(child.facts)
        detail = f"{shown} was sent, {whom} is from {wanted}"
        if issuer.facts.subject_name.text == child.facts.issuer_name.text:
            detail = f"{shown} has the issuer's name, but not the key identifier that {whom} gives"
        yield Finding(Category.WRONG_INTERMEDIATE, issuer.position, detail, check="signature")


def _line(sent: Sequence[CertificateFacts], anchors: Issuers) -> list[Link]:
    """The certificates in the order in which they are verified, from the leaf."""
    rest = [Link(one, place) for place, one in enumerate(sent[:_DEPTH])]
    rest = [one for one in rest if not one.position or not one.facts.unreadable]
    links: list[Link] = []
    while rest:
        start, rest = len(links), list(rest)
        links.append(rest.pop(0))
        while True:
            top, line = links[-1], links[start + 1 :]
            others = (one for one in (*line, *rest) if one is not top)
            found = next((one for one in others if _may_follow(one.facts, top.facts)), None)
            if found is None or found in links:
                break
            links.append(found)
            rest.remove(found)
        seen = {one.facts.der for one in links}
        rest = [one for one in rest if one.facts.der not in seen]
        if any(_may_follow(one, links[-1].facts) for one in anchors):
            break
    return links


def _named(anchors: Issuers, name: Name) -> list[CertificateFacts]:
    """The anchors whose subject is this name, octet by octet."""
    return [one for one in anchors.named(name.normal) if one.subject_name.der == name.der]


def _anchored(
    links: Sequence[Link], anchors: Sequence[CertificateFacts], at: int
) -> tuple[Path, bool]:
    """The line up to where an anchor follows, if one does (verify.c, `_gnutls_verify_crt_status`).

    The line is cut before a certificate with an anchor's name and key; the leaf is an anchor only
    itself. That anchor must be valid. Then the last anchor follows that may have issued what is
    left and is valid now, else the first.
    """
    if len(links) > 1 and _may_follow(links[-1].facts, links[-1].facts):
        links = links[:-1]
    for place, link in enumerate(links):
        name, key, der = link.facts.subject_name.text, link.facts.spki, link.facts.der
        alike = (one for one in anchors if (one.subject_name.text, one.spki) == (name, key))
        same = next((one for one in alike if place or one.der == der), None)
        if same is None:
            continue
        if place == 0:
            return Path(tuple(links[:1])), True
        links = links[:place]
        if not same.not_before <= at <= same.not_after:
            return Path((*links, Link(same, None))), True
        break
    issuers = [one for one in anchors if _may_follow(one, links[-1].facts)]
    valid = [one for one in issuers[1:] if one.not_before <= at < one.not_after]
    chosen = [*issuers[:1], *valid][-1:]
    return Path((*links, *(Link(one, None) for one in chosen))), bool(chosen)


def _may_follow(issuer: CertificateFacts, child: CertificateFacts) -> bool:
    """By name, spelt alike, and key identifiers where both have one."""
    names = issuer.subject_name, child.issuer_name
    alike = names[0].text == names[1].text
    # It writes a string that is no DirectoryString as octets, with its type.
    same = names[0].der == names[1].der or not any(_IA5.search(one.der) for one in names)
    return alike and same and _key_ids_differ(issuer, child) != 2


def last_tried(sent: Sequence[CertificateFacts], anchors: Issuers) -> tuple[Path, bool]:
    """The path that Go comes to last, and whether it ends in an anchor.

    Where no path is good, Go reports what it met with the last issuer that it tried at each step:
    those sent after the anchors, those with another key identifier after those with the right one
    (crypto/x509, `buildChains` and `findPotentialParents`). An issuer whose signature does not fit
    is not tried; where there is no other, the first of them is named as the likely reason.
    """
    links = [Link(sent[0], 0)]
    while True:
        top = links[-1].facts
        named = (
            [Link(one, None) for one in anchors.named(top.issuer_name.normal)],
            [Link(one, place) for place, one in enumerate(sent) if place and _follows(one, top)],
        )
        inside = {(one.facts.subject_name.der, one.facts.spki) for one in links}
        parents = [
            link
            for links_named in named
            for link in sorted(links_named, key=lambda one: _key_ids_differ(one.facts, top))
            if not link.facts.unreadable
            and (link.facts.subject_name.der, link.facts.spki) not in inside
            and check(top, link.facts) is not Signature.BAD
        ]
        fitting = [link for link in parents if _may_issue(link.facts)]
        links += fitting[-1:] or parents[:1]
        if not parents or links[-1].position is None:
            return Path(tuple(links)), bool(parents) and links[-1].position is None


def _key_ids_differ(issuer: CertificateFacts, child: CertificateFacts) -> int:
    """0: the same, 1: one of them is missing, 2: not the same."""
    ids = issuer.subject_key_id or b"", (child.authority and child.authority.key_id) or b""
    return 0 if ids[0] == ids[1] else 1 + all(ids)


def _may_issue(facts: CertificateFacts) -> bool:
    """As Go's CheckSignatureFrom sees it."""
    bare = facts.version == 3 and "basicConstraints" not in facts.named_extensions
    other = "basicConstraints" in facts.named_extensions and not facts.is_ca
    return not bare and not other and (not facts.usages or facts.may_sign_certificates)


def _follows(issuer: CertificateFacts, child: CertificateFacts) -> bool:
    return issuer.subject_name.normal == child.issuer_name.normal


def _issuer(child: CertificateFacts, candidates: Iterable[Link], at: int) -> Link | None:
    """The first candidate that is valid now, else the one that was valid last."""
    best: Link | None = None
    for one in candidates:
        # As `ossl_x509_likely_issued`: names, identifiers and the kind of key fit.
        fits = _follows(one.facts, child) and not invalid(one.facts) and not invalid(child)
        if not (fits and identified(one.facts, child) and _key_fits(one.facts, child)):
            continue
        if one.facts.not_before <= at < one.facts.not_after:
            return one
        if best is None or one.facts.not_after > best.facts.not_after:
            best = one
    return best


def identified(issuer: CertificateFacts, child: CertificateFacts) -> bool:
    """The child's authorityKeyIdentifier does not speak against this issuer."""
    wanted = child.authority
    if wanted is None:
        return True
    own = issuer.subject_key_id
    if own is None and "subjectKeyIdentifier" in issuer.named_extensions:
        own = b""  # one that cannot be read is another
    if wanted.key_id is not None and own not in {None, wanted.key_id}:
        return False
    if wanted.serial is not None and wanted.serial != issuer.serial_octets:
        return False
    names = [name.normal for name in wanted.issuers]
    return not names or names[0] == issuer.issuer_name.normal


def _key_fits(issuer: CertificateFacts, child: CertificateFacts) -> bool:
    """The issuer's key can make signatures of the child's kind."""
    key, scheme = issuer.public_key, child.inner_scheme
    scheme = "RSA" if scheme.startswith("RSA") else scheme
    kinds = {"RSA": KeyKind.RSA, "ECDSA": KeyKind.EC, "DSA": KeyKind.DSA}
    if scheme in kinds:
        return key.kind is kinds[scheme]
    return bool(scheme) and key.curve == scheme


def _self_signed(facts: CertificateFacts) -> bool:
    """Self-issued, with an identifier and a key that could have made the signature."""
    return facts.self_issued and identified(facts, facts) and _key_fits(facts, facts)
