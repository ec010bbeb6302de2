"""What Chromium 156 and Firefox 153 said to single chains, which their policies say, too."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from stress.trust import Anchors, Judge
from tests.oracles.corpus import Draft, chains
from tests.oracles.making import (
    ANY,
    AT,
    DAY,
    SERVER,
    authority,
    basic,
    constraints,
    directory,
    dns,
    key,
    moment,
    name,
    oid,
    purposes,
    seq,
    server,
    tlv,
    uri,
    usage,
)

Spoil = Callable[[Draft], None]


def _usage(draft: Draft) -> None:
    draft.leaf.change("usage", usage("keyEncipherment"))


def _small(draft: Draft) -> None:
    draft.leaf.key = key("rsa1024", 1)


def _post_quantum(draft: Draft) -> None:
    draft.middles[0].key = key("mldsa44", 1)


def _old_root(draft: Draft) -> None:
    draft.root.ends = AT - DAY


def _old_other_name(draft: Draft) -> None:
    draft.leaf.ends = AT - DAY
    draft.leaf.change("san", seq(dns("other.test")))


def _other_key(draft: Draft) -> None:
    draft.middles[0].spoilt = True


def _any_purpose(draft: Draft) -> None:
    draft.middles[0].change("purposes", purposes(ANY))


def _old_digest(draft: Draft) -> None:
    draft.middles[0].key = key("rsa2048", 1)
    draft.leaf.algorithm = "rsa-sha1"
    draft.trusted = False


def _leaf(kind: str, value: bytes, *, critical: bool = False) -> Spoil:
    return lambda draft: draft.leaf.change(kind, value, critical=critical)


def _middle(kind: str, value: bytes, *, critical: bool = False) -> Spoil:
    return lambda draft: draft.middles[0].change(kind, value, critical=critical)


def _root(kind: str, value: bytes, *, critical: bool = False) -> Spoil:
    return lambda draft: draft.root.change(kind, value, critical=critical)


def _large_curve(draft: Draft) -> None:
    draft.leaf.key = key("p521", 7)


def _leap_second(draft: Draft) -> None:
    draft.leaf.validity = seq(moment(AT - DAY), tlv(0x17, b"270101000060Z"))


def _default_flag(draft: Draft) -> None:
    draft.middles[0].raw_extensions = seq(oid("1.2.3.4.5"), b"\1\1\0", tlv(4, b"\5\0"))


def _in_capitals(draft: Draft) -> None:
    draft.leaf.subject = name("good.test", "Org")
    draft.middles[0].change("constraints", constraints([directory(name("", "ORG"))], []))


def _without_subject(draft: Draft) -> None:
    draft.leaf.subject = name()
    draft.leaf.change("san", seq(dns("good.test")), critical=True)
    draft.middles[0].change("constraints", constraints([directory(name("", "Org"))], []))


def _visible(draft: Draft) -> None:
    draft.leaf.subject = name("good.test", "", 0x1A)


def _odd_serial(draft: Draft) -> None:
    draft.root.serial = b"\0\0\1"


def _twice(draft: Draft) -> None:
    draft.middles[0].twice = "aia"
    draft.middles[0].change("aia", seq(seq(oid("1.3.6.1.5.5.7.48.1"), uri("http://o.test"))))


_MINIMUM = seq(tlv(0xA0, seq(dns("good.test"), tlv(0x80, b"\0"))))


def _lists(names: bytes) -> bytes:
    """A CRL distribution point."""
    return seq(seq(tlv(0xA0, tlv(0xA0, names))))


_ANY_POLICY = "2.5.29.32.0"
_HOLLOW = seq(tlv(0xA0, seq(dns("test"))), tlv(0xA1))
_MAPPED = seq(seq(oid("1.2.3.4"), oid(_ANY_POLICY)))
_MALFORMED, _UNHANDLED, _NAMES = (
    "malformed-certificate",
    "unhandled-critical-extension",
    "name-constraints",
)


@pytest.mark.parametrize(
    ("spoil", "chrome", "firefox"),
    [
        (_usage, "wrong-eku", ""),
        (_small, "", ""),
        (_post_quantum, "", "weak-signature"),
        (_old_root, "expired-intermediate", "expired-intermediate"),
        (_old_other_name, "hostname-mismatch", "hostname-mismatch"),
        (_other_key, "wrong-intermediate", "wrong-intermediate"),
        (_any_purpose, "", "wrong-eku"),
        (_old_digest, "weak-signature", "untrusted-root"),
        (_leaf("crl", _lists(uri("http://ca.test/c")), critical=True), _UNHANDLED, _UNHANDLED),
        (_middle("1.3.6.1.5.5.7.1.3", seq(), critical=True), _UNHANDLED, ""),
        (_root("unknown", b"\x05\0", critical=True), _UNHANDLED, _UNHANDLED),
        (_middle("san", seq()), _MALFORMED, ""),
        (_leaf("san", seq(dns("good.test"), uri("http://a b.test/"))), "", ""),
        (_middle("purposes", seq()), _MALFORMED, "wrong-eku"),
        (_middle("basic", basic(ca=True) + b"\0\0"), _MALFORMED, _MALFORMED),
        (_root("mappings", _MAPPED), _MALFORMED, ""),
        (_root("policy-constraints", seq(tlv(0x80, b"\0"))), _MALFORMED, ""),
        (_large_curve, "weak-key", ""),
        (_leap_second, "", _MALFORMED),
        (_middle("constraints", constraints([dns("good.test.")], [])), "", _NAMES),
        (_middle("constraints", constraints([], [directory(name("x"))])), "", _NAMES),
        (
            _middle("constraints", seq(tlv(0xA0, seq(dns("test"))), tlv(0xA1))),
            _MALFORMED,
            _MALFORMED,
        ),
        (_default_flag, _MALFORMED, ""),
        (_middle("aia", seq()), _MALFORMED, ""),
        (_middle("policy-constraints", seq()), _MALFORMED, ""),
        (_root("constraints", _MINIMUM), "untrusted-root", _MALFORMED),
        (_root("usage", usage()), "untrusted-root", "issuer-not-ca"),
        (_leaf("san", seq(dns("good.test")) + b"\5\0"), _MALFORMED, "no-san"),
        (_leaf("san", seq(dns("good.test."))), "", "hostname-mismatch"),
        (_leaf("purposes", purposes(SERVER) + b"\5\0"), _MALFORMED, _MALFORMED),
        (_in_capitals, "", _NAMES),
        (_without_subject, "", _NAMES),
        (_visible, _MALFORMED, ""),
        (_odd_serial, "untrusted-root", _MALFORMED),
        (_twice, _MALFORMED, _MALFORMED),
    ],
)
def test_a_browsers_policy_says_what_the_browser_says(
    spoil: Spoil, chrome: str, firefox: str
) -> None:
    made = Draft(
        random.Random(1),
        authority("Root", key("p256", 1)),
        [authority("Issuer", key("p256", 4))],
        server("good.test", key("p256", 2)),
    )
    spoil(made)
    chain = made.finish("single", 0)
    judge = Judge(Anchors(chain.anchors, "roots.pem", private=True))

    for policy, expected in (("chrome", chrome), ("firefox", firefox)):
        verdict = judge.judge(chain.sent, host=chain.host, at=AT, policy=policy, staple=b"")
        headline = verdict.headline.category.value if verdict.headline else ""
        assert headline == expected, (policy, verdict.findings)


def test_no_two_chains_for_browsers_share_a_name() -> None:
    """So that nothing that a browser remembers of one can matter to another."""
    from stress.trust import describe  # noqa: PLC0415  needed in one test

    seen: dict[bytes, str] = {}
    for one in chains(each=1, pairs=0, apart=True):
        for der in (*one.sent, *one.anchors):
            name = describe(der).subject_name.der if not describe(der).unreadable else b""
            if len(name) > 2:
                assert seen.setdefault(name, one.id) == one.id
