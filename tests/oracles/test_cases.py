"""Single chains on which the product was wrong once, each with what the real clients say."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from stress.trust import Anchors, Judge
from tests.oracles.corpus import Chain, Draft
from tests.oracles.making import (
    AT,
    SERVER,
    address,
    authority,
    basic,
    bit_string,
    constraints,
    directory,
    dns,
    key,
    name,
    purposes,
    seq,
    server,
    tlv,
    usage,
)
from tests.oracles.oracle import ORACLES, ask, judge_all, meant

POLICIES = ("go-1.19", "openssl", "curl", "python-3.13", "java")
NEEDED = {
    "go-1.19": "go",
    "openssl": "faketime",
    "curl": "curl",
    "python-3.13": "faketime",
    "java-17": "javac",
}
MALFORMED, UNHANDLED = "malformed-certificate", "unhandled-critical-extension"
CONSTRAINED, OTHER_NAME = "name-constraints", "hostname-mismatch"
LONGEST = ".".join(["a" * 61, *["a" * 60] * 3]) + ".lab.test"
"""A name of 253 octets, the most that DNS allows."""


@dataclass(frozen=True)
class Case:
    """A chain, and the category under which each policy refuses it; empty: it accepts."""

    name: str
    spoil: Callable[[Draft], None]
    go: str = ""
    openssl: str = ""
    java: str = ""
    strict: str | None = None
    """Python 3.13's; None: as OpenSSL's."""
    partial: str = ""
    """What curl and Python 3.13 say to an anchor that is no root: `accepts`; else as OpenSSL."""

    def expected(self, policy: str) -> str:
        """The category."""
        own = {"go-1.19": self.go, "java": self.java}
        if policy == "curl" and self.openssl in {"hostname-mismatch", "no-san"}:
            return ""  # compared after the handshake only
        if policy in {"curl", "python-3.13"} and self.partial == "accepts":
            return ""
        strict = self.openssl if self.strict is None else self.strict
        return own.get(policy, strict if policy == "python-3.13" else self.openssl)

    def chain(self) -> Chain:
        """The chain, under one intermediate."""
        made = Draft(
            random.Random(self.name),
            authority("Root", key("p256", 1)),
            [authority("Issuer", key("p256", 4))],
            server("good.test", key("p256", 2)),
        )
        self.spoil(made)
        return made.finish(self.name, 0)


def _leaf(
    kind: str, value: bytes | None, *, critical: bool | None = None
) -> Callable[[Draft], None]:
    return lambda draft: draft.leaf.change(kind, value, critical=critical)


def _middle(
    kind: str, value: bytes | None, *, critical: bool | None = None
) -> Callable[[Draft], None]:
    return lambda draft: draft.middles[0].change(kind, value, critical=critical)


def _root(kind: str, value: bytes, *, critical: bool = False) -> Callable[[Draft], None]:
    return lambda draft: draft.root.change(kind, value, critical=critical)


def _set(which: str, field: str, value: object) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        setattr(
            {
                "draft": draft,
                "leaf": draft.leaf,
                "middle": draft.middles[0],
                "root": draft.root,
            }[which],
            field,
            value,
        )

    return spoil


def _named(pattern: str, host: str) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.leaf.change("san", seq(dns(pattern)))
        draft.host = host

    return spoil


def _other_algorithm(which: str) -> Callable[[Draft], None]:
    from tests.oracles.making import ALGORITHMS  # noqa: PLC0415  only here

    return _set(which, "inner", ALGORITHMS["ecdsa-sha384"])


def _signed_by_itself_otherwise(draft: Draft) -> None:
    from tests.oracles.making import ALGORITHMS  # noqa: PLC0415  only here

    draft.signer = draft.leaf
    draft.leaf.inner = ALGORITHMS["rsa-sha256"]
    draft.arrange.append(lambda sent: sent[:1])


def _two_issuers(draft: Draft) -> None:
    """The same CA by a root that nobody trusts, and then by the trusted one."""
    old = authority("Old Root", key("p256", 9))
    der = draft.middles[0].issue(old)
    draft.arrange.append(lambda sent: [sent[0], der, *sent[1:]])


def _eleven(draft: Draft) -> None:
    draft.arrange.append(lambda sent: sent[:1] + sent[1:2] * 10)


def _below_two_anchors(draft: Draft) -> None:
    """A leaf alone; the CA that issued it is an anchor, and the root above, too."""
    draft.anchors.append(draft.middles[0].issue(draft.root))
    draft.arrange.append(lambda sent: sent[:1])


def _empty_subject(draft: Draft) -> None:
    draft.leaf.subject = name()
    draft.leaf.change("san", seq(dns("good.test")), critical=False)


def _asked(host: str, named: bytes) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.leaf.change("san", seq(named))
        draft.host = host

    return spoil


def _address_in_the_name(draft: Draft) -> None:
    draft.host = "192.0.2.1"
    draft.leaf.subject = name(draft.host)
    draft.leaf.change("san", None)


def _key(which: str, kind: str) -> Callable[[Draft], None]:
    return _set(which, "key", key(kind, 7))


BROKEN = {
    **dict.fromkeys(("usage", "basic"), 3),
    **dict.fromkeys(("constraints", "purposes", "san", "ski", "aki", "crl"), 2),
    **dict.fromkeys(("aia", "policies"), 1),
    **dict.fromkeys(("mappings", "policy-constraints", "any-policy"), 0),
}
"""Extensions that do not decode, and how many of Go, OpenSSL and Java (in this order) refuse."""

CASES = (
    Case("good", lambda draft: None),
    # 1. Two signature algorithms.
    Case(
        "leaf-algorithms",
        _other_algorithm("leaf"),
        MALFORMED,
        "wrong-intermediate",
        MALFORMED,
        MALFORMED,
    ),
    Case(
        "ca-algorithms",
        _other_algorithm("middle"),
        MALFORMED,
        "wrong-intermediate",
        MALFORMED,
        MALFORMED,
    ),
    Case(
        "self-signed-by-another-algorithm",
        _signed_by_itself_otherwise,
        MALFORMED,
        "untrusted-root",
        MALFORMED,
    ),
    # 2. Extensions that do not decode.
    *(
        Case(f"broken-{kind}-of-a-{where}", spoil(kind, b"\x05\0"), *[MALFORMED] * clients)
        for kind, clients in BROKEN.items()
        for where, spoil in (("leaf", _leaf), ("CA", _middle))
    ),
    Case(
        "broken-critical-constraints",
        _middle("constraints", b"\x05\0", critical=True),
        MALFORMED,
        MALFORMED,
        MALFORMED,
    ),
    # 3. The leaf's keyUsage.
    Case(
        "usage-of-a-ca",
        _leaf("usage", usage("keyCertSign", "cRLSign")),
        "",
        "wrong-eku",
        "wrong-eku",
        MALFORMED,
    ),
    Case("usage-to-encipher", _leaf("usage", usage("keyEncipherment")), "", "", "wrong-eku"),
    # 4. OpenSSL does not go back.
    Case("no-way-back", _two_issuers, "", "untrusted-root"),
    # 5. Java.
    Case(
        "anchor-constraints",
        _root("constraints", constraints([dns("x.test")], []), critical=True),
        "name-constraints",
        "name-constraints",
    ),
    Case(
        "part-of-a-label",
        _named("ba*.good.test", "bar.good.test"),
        "hostname-mismatch",
        "hostname-mismatch",
        "",
    ),
    Case("underscore", _named("a_b.good.test", "a_b.good.test"), "", "", "hostname-mismatch"),
    Case("empty-issuer", _set("middle", "subject", name()), "", "", MALFORMED, MALFORMED),
    Case("empty-subject", _empty_subject, "", "", MALFORMED, MALFORMED),
    Case("empty-constraint", _middle("constraints", constraints([dns("")], [])), java=CONSTRAINED),
    Case(
        "constraint-before-an-empty-one",
        _middle("constraints", constraints([dns("good.test"), dns("")], [])),
    ),
    Case("address-in-the-name", _address_in_the_name, *["no-san"] * 3),
    # Names: the longest, IDN, final dots, addresses.
    Case("longest-name", _named(LONGEST, LONGEST)),
    Case("longest-name-by-a-star", _named("*." + LONGEST.partition(".")[2], LONGEST)),
    Case("idn", _named("XN--BCHER-KVA.test", "xn--bcher-kva.test")),
    Case("idn-by-a-star", _named("*.test", "xn--bcher-kva.test"), openssl=OTHER_NAME),
    Case("dot-of-the-host", _named("good.test", "good.test."), openssl=OTHER_NAME),
    Case("dot-of-the-name", _named("good.test.", "good.test"), *[OTHER_NAME] * 3),
    Case("dots-of-both", _named("good.test.", "good.test."), java=OTHER_NAME),
    Case("address", _asked("192.0.2.1", address(b"\xc0\0\2\1"))),
    Case("other-address", _asked("192.0.2.1", address(b"\xc0\0\2\2")), *[OTHER_NAME] * 3),
    Case("address-as-a-name", _asked("192.0.2.1", dns("192.0.2.1")), *[OTHER_NAME] * 3),
    Case("address-by-a-star", _asked("192.0.2.1", dns("*.0.2.1")), *[OTHER_NAME] * 3),
    Case("long-address", _asked("::1", address(b"\0" * 15 + b"\1"))),
    # 5. Go.
    Case("dsa-root", _key("root", "dsa"), "weak-signature"),
    Case("explicit-curve", _key("leaf", "explicit"), MALFORMED, "weak-key", "weak-key"),
    Case(
        "directory-constraints",
        _middle("constraints", constraints([], [directory(name("x"))]), critical=True),
        UNHANDLED,
    ),
    Case("no-mask", _middle("constraints", constraints([address(b"\1\2\3\4")], [])), MALFORMED),
    Case(
        "explicit-policy",
        _middle("policy-constraints", seq(tlv(0x80, b"\0")), critical=True),
        UNHANDLED,
        "",
        MALFORMED,
    ),
    Case("version-4", _set("leaf", "version", 3), MALFORMED, "", MALFORMED),
    Case("empty-constraints", _middle("constraints", seq()), MALFORMED),
    # 5. OpenSSL.
    Case("negative-serial", _set("leaf", "serial", b"\xff")),
    Case("odd-san", _leaf("san", seq(dns("good.test"), tlv(0x89, b"x"))), "", MALFORMED, ""),
    Case("last-second", _set("leaf", "ends", AT), "", "expired-leaf"),
    Case(
        "root-of-another",
        _set("root", "issuer_id", seq(tlv(0x80, b"another key"))),
        "",
        "untrusted-root",
        partial="accepts",
    ),
    # Java's reader, and names in constraints.
    Case(
        "broken-freshest",
        _leaf("freshest", b"\x30\x05", critical=True),
        UNHANDLED,
        UNHANDLED,
        MALFORMED,
    ),
    Case("no-usage", _leaf("usage", usage()), "", MALFORMED, "wrong-eku"),
    Case("masked-usage", _leaf("usage", bit_string(b"\x82", 2)), MALFORMED),
    Case("other-key-id", _leaf("aki", seq(tlv(0x81, b"x"))), "", MALFORMED),
    Case(
        "final-dot",
        _middle("constraints", constraints([dns("good.test.")], [])),
        MALFORMED,
        "name-constraints",
        "name-constraints",
    ),
    Case("second-label", _named("a.*.test", "a.good.test"), *["hostname-mismatch"] * 2),
    Case("eleven", _eleven, java="path-length"),
    Case("octet-behind", _set("draft", "rewrite", lambda der: der + b"\0"), MALFORMED, MALFORMED),
    Case("two-anchors", _below_two_anchors),
    # 6. Python 3.13, and keys of tomorrow.
    Case("no-key-id", _set("leaf", "issuer_id", False), strict=MALFORMED),
    Case(
        "post-quantum-ca",
        _key("middle", "mldsa65"),
        "weak-signature",
        "wrong-intermediate",
        "weak-signature",
    ),
    # What all read alike.
    Case("any-purpose", _leaf("purposes", purposes("2.5.29.37.0")), "", "wrong-eku", ""),
    Case("server-and-more", _leaf("purposes", purposes("1.2.3.4", SERVER))),
    Case(
        "no-ca",
        _middle("basic", basic(ca=False)),
        "issuer-not-ca",
        "issuer-not-ca",
        "issuer-not-ca",
    ),
)
CHAINS = [case.chain() for case in CASES]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_policy_says_what_the_client_says(case: Case, policy: str) -> None:
    chain = case.chain()

    _, category, *more = judge_all(policy, [chain], names=policy != "curl")[chain.id]

    assert category == case.expected(policy), more


@pytest.mark.slow
@pytest.mark.parametrize(
    "client",
    [pytest.param(one, marks=pytest.mark.real(NEEDED[one])) for one in NEEDED],
)
def test_the_client_says_what_the_table_says(client: str) -> None:
    """So the table is what was measured, with the version that is installed here."""
    oracle = next(one for one in ORACLES if one.name == client)
    if oracle.missing():
        pytest.skip(f"{oracle.missing()} is not installed")

    said = ask(oracle, CHAINS).said

    for case, chain in zip(CASES, CHAINS, strict=True):
        words, expected = said[chain.id], case.expected(oracle.policy)
        assert (words == "ok") == (expected == ""), (case.name, words)
        if expected:
            assert expected in meant(oracle.family, words), (case.name, words)


@pytest.mark.parametrize("policy", ["curl", "node"])
@pytest.mark.parametrize(
    ("named", "host"), [("good.test.", ""), ("good.test", "."), ("good.test.", ".")]
)
def test_curl_and_node_ignore_a_final_dot_of_both(policy: str, named: str, host: str) -> None:
    """As curl 7.88.1 and Node 24.19 did with a real server; curl does not send it, either."""
    chain = Case("dots", _named(named, f"good.test{host}")).chain()
    judge = Judge(Anchors(chain.anchors, "roots.pem", private=True))

    assert judge.judge(chain.sent, host=chain.host, at=AT, policy=policy).headline is None
