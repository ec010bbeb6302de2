"""Chains of the second stream on which a policy was wrong, each with what the real clients say."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from stress.trust import Anchors, Judge
from tests.oracles.corpus import Chain, Draft
from tests.oracles.making import (
    AT,
    CLIENT,
    Extension,
    address,
    authority,
    basic,
    bit_string,
    constraints,
    directory,
    dns,
    key,
    mail,
    name,
    oid,
    purposes,
    seq,
    server,
    tlv,
    uri,
    usage,
)
from tests.oracles.oracle import ORACLES, ask, judge_all, meant
from tests.oracles.subject_defects import rdn

NEEDED = {
    "go-1.19": "go",
    "openssl": "faketime",
    "python-3.13": "faketime",
    "gnutls": "faketime",
    "java-17": "javac",
}
"""Oracle -> what it needs from the distribution."""
BAD, NAME, LIMIT = "malformed-certificate", "hostname-mismatch", "name-constraints"
NO_ISSUER, WEAK, KEY, USE = "untrusted-root", "weak-signature", "weak-key", "wrong-eku"
UNHANDLED, NO_NAME = "unhandled-critical-extension", "no-san"
OTHER, NO_CA = "wrong-intermediate", "issuer-not-ca"
Spoil = Callable[[Draft], None]


@dataclass(frozen=True)
class Case:
    """A chain."""

    name: str
    spoil: Spoil
    middles: int = 1

    def chain(self) -> Chain:
        """The chain, in order, without its root."""
        made = Draft(
            random.Random(self.name),
            authority("Root", key("p256", 1)),
            [authority(f"Issuer {at}", key("p256", 4 + at)) for at in range(self.middles)],
            server("good.test", key("p256", 2)),
        )
        self.spoil(made)
        return made.finish(self.name, 0)


def _leaf(kind: str, value: bytes | None, *, critical: bool | None = None) -> Spoil:
    return lambda made: made.leaf.change(kind, value, critical=critical)


def _middle(kind: str, value: bytes, *, critical: bool | None = None) -> Spoil:
    return lambda made: made.middles[0].change(kind, value, critical=critical)


def _end(text: bytes, tag: int = 0x17, which: str = "leaf") -> Spoil:
    validity = seq(tlv(0x17, b"260901000000Z"), tlv(tag, text))
    return lambda made: setattr(getattr(made, which), "validity", validity)


def _pss(algorithm: str) -> Spoil:
    def sign(made: Draft) -> None:
        made.middles[0].key, made.leaf.algorithm = key("rsa2048", 1), algorithm

    return sign


def _size(bits: int) -> Spoil:
    return lambda made: setattr(made.leaf, "key", key(f"rsa{bits}", 7))


def _common(text: str, san: bytes | None = None, tag: int = 0x0C) -> Spoil:
    def rename(made: Draft) -> None:
        made.leaf.subject = name(text, "", tag)
        made.leaf.change("san", san)

    return rename


def _pattern(pattern: str, host: str) -> Spoil:
    def rename(made: Draft) -> None:
        made.leaf.change("san", seq(dns(pattern)))
        made.host = host

    return rename


def _subject(subject: bytes) -> Spoil:
    return lambda made: setattr(made.leaf, "subject", subject)


def _below(limits: bytes, san: bytes | None = None, subject: str = "") -> Spoil:
    """A CA that the constraints of the one above forbid."""

    def limit(made: Draft) -> None:
        made.middles[0].change("constraints", limits, critical=True)
        made.middles[1].subject = name(subject) if subject else made.middles[0].subject
        if san:
            made.middles[1].change("san", san)

    return limit


def _spelt(value: int) -> Spoil:
    def spell(made: Draft) -> None:
        made.middles[0].subject = seq(rdn(("2.5.4.10", 0x13, b"Big Org")))
        made.leaf.issuer = seq(rdn(("2.5.4.10", value, b"Big Org")))

    return spell


def _raw(flag: bytes) -> Spoil:
    extension = seq(oid("1.3.6.1.4.1.99999.8"), flag, tlv(4, b"\5\0"))
    return lambda made: setattr(made.leaf, "raw_extensions", extension)


def _alone(made: Draft) -> None:
    made.signer = made.leaf
    made.leaf.change("usage", usage("keyCertSign"))
    made.anchors.append(made.leaf.issue(made.leaf))
    made.arrange.append(lambda sent: sent[:1])


def _old_root(made: Draft) -> None:
    made.root.version, made.root.extensions = 1, []
    made.root.key_id = made.root.issuer_id = False


def _twice(made: Draft) -> None:
    made.leaf.extensions += [Extension("crl", seq(seq())), Extension("crl", seq(seq()))]


CASES: tuple[Case, ...] = (
    Case("salt of 20", _pss("pss20-sha256")),
    Case("salt of 222", _pss("pss222-sha256")),
    Case("RSA of 2040 bits", _size(2040)),
    Case("RSA of 1536 bits", _size(1536)),
    Case("offset", _end(b"270101000000+0100")),
    Case("no such day", _end(b"270229000000Z")),
    Case("no seconds", _end(b"202701010000Z", 0x18)),
    Case("unreadable root", _end(b"2701010a0000Z", which="root")),
    Case("negative count", _middle("policy-constraints", seq(tlv(0x80, b"\xff")), critical=True)),
    Case("directory", _leaf("san", seq(dns("good.test"), directory(name("", "Bad"))))),
    Case(
        "directory of the leaf",
        lambda made: (
            _leaf("san", seq(dns("good.test"), directory(name("", "Bad"))))(made),
            _middle("constraints", constraints([], [directory(name("", "Bad"))]))(made),
        )[0],
    ),
    Case("excluded directory", _middle("constraints", constraints([], [directory(name("x"))]))),
    Case("CN of a CA", _below(constraints([dns("good.test")], []), None, "inner.bad.test"), 2),
    Case("self-issued", _below(constraints([dns("good.test")], []), seq(dns("x.test"))), 2),
    Case(
        "other address family",
        lambda made: (
            _leaf("san", seq(dns("good.test"), address(b"\x20\1" + b"\0" * 14)))(made),
            _middle("constraints", constraints([address(b"\0" * 8)], []), critical=True)(made),
        )[0],
    ),
    Case(
        "URI without a host",
        lambda made: (
            _leaf("san", seq(dns("good.test"), uri("urn:x:y")))(made),
            _middle("constraints", constraints([uri("good.test")], []), critical=True)(made),
        )[0],
    ),
    Case("mail address", _middle("constraints", constraints([], [mail("a@b@c")]))),
    Case("unknown name", _middle("constraints", seq(tlv(0xA1, seq(tlv(0x8A, b"x")))))),
    Case("dot of the CN", _common("good.test.")),
    Case("CN in letters", _common("b\u00fccher.test")),
    Case("universal CN", _common("good.test", seq(mail("a@b.test")), 0x1C)),
    Case("star in front", _pattern("*ood.x.test", "good.x.test")),
    Case("star of nothing", _pattern("*good.x.test", "good.x.test")),
    Case("star over an underscore", _pattern("*.a_b.test", "x.a_b.test")),
    Case("star alone", _pattern("*", "localhost")),
    Case("universal string", _subject(seq(rdn(("2.5.4.10", 0x1C, b"\0\0\0x"))))),
    Case("general string", _subject(seq(rdn(("2.5.4.10", 0x1B, b"x"))))),
    Case("three parts", _subject(seq(tlv(0x31, seq(oid("2.5.4.3"), b"\x0c\1x", b"\x0c\1y"))))),
    Case("zeros", _subject(seq(tlv(0x31, seq(tlv(6, b"\x80\x55\4\3"), b"\x0c\1x"))))),
    Case("IA5 issuer", _spelt(0x16)),
    Case("flag of two octets", _raw(b"\1\2\0\0")),
    Case("value twice", _raw(tlv(4, b"\5\0"))),
    Case("further field", lambda made: setattr(made.leaf, "fields", b"\5\0")),
    Case("padded length", _middle("basic", seq(b"\1\1\xff", b"\2\2\0\1"))),
    Case(
        "key identifier in pieces", _leaf("aki", seq(tlv(0xA0, tlv(4, key("p256", 4).identifier))))
    ),
    Case("netscape type", _leaf("2.16.840.1.113730.1.1", bit_string(b"\x80", 7))),
    Case("odd netscape type", _leaf("2.16.840.1.113730.1.1", b"\5\0")),
    Case("otherName", _leaf("san", seq(dns("good.test"), tlv(0xA0)))),
    Case("directoryName", _leaf("san", seq(dns("good.test"), tlv(0xA4)))),
    Case("point without a name", _leaf("crl", seq(seq()))),
    Case("two unreadable", _twice),
    Case("long path length", _middle("basic", basic(ca=True, path_length=128))),
    Case("leaf of its own", _alone),
    Case("root of version 2", _old_root),
)

REFUSED = {
    # name: go-1.19, openssl, python-3.13, gnutls, java
    "salt of 20": (WEAK, "", "", WEAK, ""),
    "salt of 222": (WEAK, "", "", WEAK, ""),
    "RSA of 2040 bits": ("", "", "", "", ""),
    "RSA of 1536 bits": ("", KEY, KEY, "", ""),
    "offset": ("", BAD, BAD, BAD, ""),
    "no such day": (BAD, BAD, BAD, "", ""),
    "no seconds": (BAD, BAD, BAD, "", ""),
    "unreadable root": (NO_ISSUER, BAD, BAD, NO_ISSUER, NO_ISSUER),
    "negative count": (UNHANDLED, "", "", UNHANDLED, ""),
    "directory": ("", "", "", "", ""),
    "directory of the leaf": ("", LIMIT, LIMIT, LIMIT, LIMIT),
    "excluded directory": ("", "", "", LIMIT, ""),
    "CN of a CA": ("", "", "", "", LIMIT),
    "self-issued": ("", "", "", "", ""),
    "other address family": (LIMIT, LIMIT, LIMIT, "", ""),
    "URI without a host": (LIMIT, LIMIT, LIMIT, "", LIMIT),
    "mail address": ("", "", "", "", ""),
    "unknown name": ("", BAD, BAD, LIMIT, ""),
    "dot of the CN": (NAME, NAME, NAME, NAME, NAME),
    "CN in letters": (NAME, NAME, NAME, NAME, NAME),
    "universal CN": (BAD, "", "", NO_NAME, ""),
    "star in front": (NAME, NAME, NAME, "", ""),
    "star of nothing": (NAME, NAME, NAME, "", ""),
    "star over an underscore": ("", NAME, NAME, "", NAME),
    "star alone": ("", NAME, NAME, NAME, NAME),
    "universal string": (BAD, "", "", "", ""),
    "general string": (BAD, BAD, BAD, "", ""),
    "three parts": ("", BAD, BAD, BAD, BAD),
    "zeros": ("", BAD, BAD, BAD, BAD),
    "IA5 issuer": (OTHER, "", "", OTHER, OTHER),
    "flag of two octets": (BAD, BAD, BAD, BAD, BAD),
    "value twice": ("", BAD, BAD, BAD, ""),
    "further field": (NO_NAME, BAD, BAD, BAD, ""),
    "padded length": (BAD, BAD, BAD, "", ""),
    "key identifier in pieces": ("", "", "", "", ""),
    "netscape type": ("", USE, USE, "", USE),
    "odd netscape type": ("", BAD, BAD, "", ""),
    "otherName": ("", BAD, BAD, BAD, ""),
    "directoryName": ("", BAD, BAD, BAD, ""),
    "point without a name": ("", BAD, BAD, "", ""),
    "two unreadable": (BAD, BAD, BAD, BAD, ""),
    "long path length": ("", "", "", "", ""),
    "leaf of its own": ("", USE, USE, "", ""),
    "root of version 2": ("", NO_CA, NO_CA, "", ""),
}
"""The category under which each client refuses a chain; empty: it accepts."""


POLICIES = ("go-1.19", "openssl", "python-3.13", "gnutls", "java")
CHAINS = [case.chain() for case in CASES]


@pytest.mark.parametrize("at", range(len(POLICIES)), ids=POLICIES)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_policy_says_what_the_client_says(case: Case, at: int) -> None:
    chain = case.chain()

    _, category, *more = judge_all(POLICIES[at], [chain])[chain.id]

    assert category == REFUSED[case.name][at], more


@pytest.mark.slow
@pytest.mark.parametrize(
    "client", [pytest.param(one, marks=pytest.mark.real(NEEDED[one])) for one in NEEDED]
)
def test_the_client_says_what_the_table_says(client: str) -> None:
    """So the table is what was measured, with the version that is installed here."""
    oracle = next(one for one in ORACLES if one.name == client)
    if oracle.missing():
        pytest.skip(f"{oracle.missing()} is not installed")

    said = ask(oracle, CHAINS).said

    for case, chain in zip(CASES, CHAINS, strict=True):
        words, expected = said[chain.id], REFUSED[case.name][POLICIES.index(oracle.policy)]
        assert (words == "ok") == (expected == ""), (case.name, words)
        if expected:
            assert expected in meant(oracle.family, words), (case.name, words)


SIGNING = {
    "openssl": ("p256", "TLS 1.2"),
    "curl": ("p256", "TLS 1.2"),
    "node": ("p256", "TLS 1.2"),
    "gnutls": ("rsa2048", "TLS 1.3"),
}
"""Policy -> key of a leaf that may not sign, and the TLS in which the client refuses it."""


@pytest.mark.parametrize("policy", ["go", *SIGNING])
def test_a_leaf_that_may_not_sign_is_refused_in_one_version_of_tls(policy: str) -> None:
    """As Go 1.27.3, OpenSSL 3.0.19 (Python, curl), Node 24.19 and GnuTLS 3.7.9 did with both."""
    kind, version = SIGNING.get(policy, ("p256", ""))

    def spoil(made: Draft) -> None:
        made.leaf.key = key(kind, 3)
        made.leaf.change("usage", usage("keyAgreement"))

    chain = Case("signing", spoil).chain()
    judge = Judge(Anchors(chain.anchors, "roots.pem", private=True))

    verdict = judge.judge(chain.sent, host=chain.host, at=AT, policy=policy)

    assert verdict.refusal == ("sometimes" if version else "no")
    assert all(version in one.detail for one in verdict.findings)


def _expired_by_a_ca_without_the_bit(made: Draft) -> None:
    made.leaf.ends = AT - 1
    made.middles[0].change("usage", usage("cRLSign"))


def _weak_for_clients(made: Draft) -> None:
    made.leaf.key = key("rsa1024", 7)
    made.leaf.change("purposes", purposes(CLIENT))


def _alone_for_clients(made: Draft) -> None:
    made.leaf.change("purposes", purposes(CLIENT))
    made.arrange.append(lambda sent: sent[:1])


def _wrong_in_an_unknown_path(made: Draft) -> None:
    made.middles[0].spoilt, made.trusted = True, False
    made.middles.append(authority("Lower", key("p256", 9)))
    made.leaf.spoilt = True


def _long_address(made: Draft) -> None:
    made.host = "2001:db8::1"
    made.leaf.change("san", seq(address(bytes.fromhex("20010db8" + "0" * 23 + "1"))))


def _not_ca_with_a_length(made: Draft) -> None:
    made.middles[0].change("basic", basic(ca=False, path_length=0))
    made.middles.append(authority("Lower", key("p256", 9)))


NODE = {
    "the leaf's date counts before its issuer's bit": (
        _expired_by_a_ca_without_the_bit,
        "expired-leaf",
    ),
    "its key is looked at first": (_weak_for_clients, USE),
    "a lone leaf cannot be verified": (_alone_for_clients, NO_ISSUER),
    "a signature counts without an anchor": (_wrong_in_an_unknown_path, OTHER),
    "a path length counts without the CA bit": (_not_ca_with_a_length, "path-length"),
    "a star within the first label": (_pattern("s*p.x.test", "shop.x.test"), ""),
    "no IPv6 address": (_long_address, NAME),
    "no star for an A-label": (_pattern("xn--*.x.test", "xn--a.x.test"), NAME),
}
"""What Node 24.19 with OpenSSL 3.5.7 told last, or alone."""


@pytest.mark.parametrize(("spoil", "told"), NODE.values(), ids=NODE)
def test_node_tells_the_last_of_its_errors(spoil: Spoil, told: str) -> None:
    chain = Case("node", spoil).chain()

    _, category, *more = judge_all("node", [chain])[chain.id]

    assert category == told, more


@pytest.mark.slow
@pytest.mark.real("faketime")
def test_node_says_what_the_table_says() -> None:
    oracle = next(one for one in ORACLES if one.name == "node")
    if oracle.missing():
        pytest.skip(f"{oracle.missing()} is not installed")
    chains = [Case(name, spoil).chain() for name, (spoil, _) in NODE.items()]

    said = ask(oracle, chains).said

    for chain, (_, told) in zip(chains, NODE.values(), strict=True):
        words = said[chain.id]
        assert told in meant("node", words) if told else words == "ok", (chain.id, words)
