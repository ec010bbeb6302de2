"""One chain for each defect, and what each policy must say to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography import x509

from stress.trust import Anchors
from tests.trust.certificates import (
    AUTHORITY,
    CLIENT,
    DAY,
    Wanted,
    authorities,
    chain,
    elliptic,
    issue,
    leaf,
    rsa_key,
    with_extension_twice,
)

Chain = tuple[bytes, ...]
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")


def private() -> Anchors:
    """The test roots as a user's own file."""
    return Anchors(authorities().anchors, "roots.pem", private=True)


def public() -> Anchors:
    """The test roots as if the world knew them."""
    return Anchors(authorities().anchors, "certifi", private=False)


def good(**odd: object) -> Chain:
    return chain(leaf(**odd), authorities().intermediate)


def under_rsa(**odd: object) -> Chain:
    a = authorities()
    made = issue(replace(Wanted(), **odd), issuer=a.rsa_intermediate, key=rsa_key("leaf"))  # type: ignore[arg-type]  # fields by name
    return chain(made, a.rsa_intermediate)


def small_key() -> Chain:
    a = authorities()
    return chain(issue(Wanted(), issuer=a.intermediate, key=rsa_key("small", 1024)), a.intermediate)


def below(**odd: object) -> Chain:
    """A good leaf under an intermediate that is odd."""
    wanted = replace(AUTHORITY, common_name="Odd Intermediate", **odd)  # type: ignore[arg-type]  # fields by name
    middle = issue(wanted, issuer=authorities().root)
    return chain(issue(Wanted(), issuer=middle), middle)


def too_deep() -> Chain:
    narrow = issue(
        replace(AUTHORITY, common_name="Narrow CA", path_length=0), issuer=authorities().root
    )
    deep = issue(replace(AUTHORITY, common_name="Deep CA"), issuer=narrow)
    return chain(issue(Wanted(), issuer=deep), deep, narrow)


def constrained() -> Chain:
    names = x509.NameConstraints([x509.DNSName("elsewhere.test")], None)
    return below(critical_extra=(names,))


def stranger_below(sent_root: bool) -> Chain:
    a = authorities()
    made = issue(Wanted(), issuer=a.rogue_intermediate)
    top = (a.rogue_root,) if sent_root else ()
    return chain(made, a.rogue_intermediate, *top)


def same_name_other_key() -> Chain:
    """An intermediate of the right name that was made again with a new key."""
    again = issue(
        replace(AUTHORITY, common_name="Test Intermediate"),
        issuer=authorities().root,
        key=elliptic("made again"),
    )
    return chain(leaf(), again)


def self_signed() -> Chain:
    return chain(issue(Wanted(common_name="self signed leaf")))


def twice() -> Chain:
    a = authorities()
    made = leaf()
    key = elliptic("Test Intermediate")
    return with_extension_twice(made.der, key), a.intermediate.der


ALL = ("apple", "apple-ios12", "android", "chrome", "firefox", "java", "go", "openssl", "curl")


@dataclass(frozen=True)
class Defect:
    """A chain and who refuses it, under which name."""

    name: str
    make: Callable[[], Chain]
    category: str
    """The headline where it is refused; empty: everybody accepts."""
    yes: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()
    anchors: Callable[[], Anchors] = private
    host: str = "good.test"


_WITHOUT_AIA = tuple(one for one in ALL if one not in {"android", "firefox"})
_NO_REPAIR = ("java", "go", "openssl", "curl")
_REPAIRS = ("apple", "apple-ios12", "android", "chrome", "firefox")

DEFECTS = (
    Defect("good", good, ""),
    Defect("good-public", lambda: good(scts=2), "", anchors=public),
    Defect("bad-order", lambda: _swapped(two_intermediates()), ""),
    Defect("duplicate-leaf", lambda: (good()[0], *good()), ""),
    Defect("extra-certs", lambda: (*good(), authorities().rogue_root.der), ""),
    Defect("root-sent", lambda: (*good(), authorities().root.der), ""),
    Defect(
        "incomplete-chain",
        lambda: chain(leaf(), authorities().root),
        "incomplete-chain",
        _WITHOUT_AIA,
        ("android", "firefox"),
    ),
    Defect(
        "incomplete-chain-aia",
        lambda: good(issuer_url="http://ca.test/i.cer")[:1],
        "incomplete-chain",
        _NO_REPAIR,
        _REPAIRS,
    ),
    Defect(
        "wrong-intermediate",
        lambda: chain(leaf(), authorities().other_intermediate),
        "wrong-intermediate",
        _WITHOUT_AIA,
        ("android", "firefox"),
    ),
    Defect(
        "renewed-intermediate",
        same_name_other_key,
        "wrong-intermediate",
        (*_WITHOUT_AIA, "firefox"),
        ("android",),
    ),
    Defect("expired", lambda: good(ends=-2 * DAY), "expired-leaf", ALL),
    Defect("expired-intermediate", lambda: below(ends=-2 * DAY), "expired-intermediate", ALL),
    Defect("not-yet-valid", lambda: good(starts=2 * DAY), "not-yet-valid", ALL),
    Defect("hostname-mismatch", lambda: good(dns=("wrong.test",)), "hostname-mismatch", ALL),
    Defect("address-mismatch", good, "hostname-mismatch", ALL, host="192.0.2.1"),
    Defect(
        "no-san-cn-only",
        lambda: good(dns=()),
        "no-san",
        ("apple", "android", "chrome", "firefox", "go"),
    ),
    Defect("self-signed", self_signed, "self-signed", ALL),
    Defect("lone-leaf", lambda: good()[:1], "untrusted-root", ALL),
    Defect("untrusted-root-sent", lambda: stranger_below(True), "untrusted-root", ALL),
    Defect("untrusted-root-not-sent", lambda: stranger_below(False), "untrusted-root", ALL),
    Defect(
        "weak-signature-sha1",
        lambda: under_rsa(sha1=True),
        "weak-signature",
        tuple(one for one in ALL if one not in {"java", "apple-ios12"}),
    ),
    Defect(
        "weak-signature-sha1-public",
        lambda: under_rsa(sha1=True, scts=3),
        "weak-signature",
        ALL,
        anchors=public,
    ),
    Defect(
        "weak-key-rsa1024",
        small_key,
        "weak-key",
        ("apple", "openssl", "curl"),
    ),
    Defect("lifetime-900d", lambda: good(ends=870 * DAY), "lifetime-too-long", ("apple",)),
    Defect(
        "lifetime-900d-public",
        lambda: good(ends=870 * DAY, scts=5),
        "lifetime-too-long",
        ("apple", "apple-ios12", "chrome"),
        anchors=public,
    ),
    Defect(
        "lifetime-300d-public",
        lambda: good(ends=270 * DAY, scts=5),
        "lifetime-too-long",
        ("chrome",),
        anchors=public,
    ),
    Defect("eku-missing", lambda: good(purposes=None), "missing-eku", ("apple",)),
    Defect("eku-client-only", lambda: good(purposes=(CLIENT,)), "wrong-eku", ALL),
    Defect(
        "unknown-critical-ext",
        lambda: good(critical_extra=(_UNKNOWN,)),
        "unhandled-critical-extension",
        ALL,
    ),
    Defect("name-constraints", constrained, "name-constraints", ALL),
    Defect("issuer-not-ca", lambda: below(ca=False), "issuer-not-ca", ALL),
    Defect("issuer-may-not-sign", lambda: below(cert_sign=False), "issuer-not-ca", ALL),
    Defect("pathlen-exceeded", too_deep, "path-length", ALL),
    Defect(
        "missing-sct",
        good,
        "missing-sct",
        ("apple", "apple-ios12", "chrome", "firefox"),
        anchors=public,
    ),
    Defect(
        "duplicate-extension",
        twice,
        "malformed-certificate",
        ("apple", "chrome", "firefox", "java", "go", "openssl", "curl"),
    ),
    Defect("leaf-is-ca", lambda: good(ca=True), "malformed-certificate", ("apple", "firefox")),
    Defect(
        "unreadable-leaf", lambda: (b"no certificate", *good()[1:]), "malformed-certificate", ALL
    ),
    Defect(
        "unreadable-extra",
        lambda: (*good(), b"\x30\x03abc"),
        "malformed-certificate",
        tuple(one for one in ALL if one not in {"chrome", "firefox"}),
    ),
)


def two_intermediates() -> Chain:
    """A chain with two intermediates, all good."""
    upper = issue(replace(AUTHORITY, common_name="Upper CA"), issuer=authorities().root)
    lower = issue(replace(AUTHORITY, common_name="Lower CA"), issuer=upper)
    return chain(issue(Wanted(), issuer=lower), lower, upper)


def _swapped(made: Chain) -> Chain:
    return made[0], made[2], made[1]
