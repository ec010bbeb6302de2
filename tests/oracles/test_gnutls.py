"""Single chains on which the policy of GnuTLS was wrong once, with what GnuTLS 3.7 says."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import pytest

from stress.trust import Anchors, Judge
from tests.oracles.corpus import Chain, Draft
from tests.oracles.making import (
    AT,
    CLIENT,
    DAY,
    address,
    authority,
    basic,
    bit_string,
    constraints,
    directory,
    dns,
    integer,
    key,
    mail,
    moment,
    name,
    purposes,
    seq,
    server,
    tlv,
    uri,
    usage,
)
from tests.oracles.oracle import ORACLES, ask, meant


class Case(NamedTuple):
    """A chain under one intermediate, and the category of GnuTLS; empty: it accepts."""

    name: str
    spoil: Callable[[Draft], None]
    expected: str = ""

    def chain(self) -> Chain:
        """The chain."""
        made = Draft(
            random.Random(self.name),
            authority("Root", key("p256", 1)),
            [authority("Issuer", key("p256", 4))],
            server("good.test", key("p256", 2)),
        )
        self.spoil(made)
        return made.finish(self.name, 0)


def _common_name(san: bytes | None, tag: int = 0x0C) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.leaf.change("san", san)
        draft.leaf.subject = name("good.test", "", tag)

    return spoil


def _middle(kind: str, value: bytes | None) -> Callable[[Draft], None]:
    return lambda draft: draft.middles[0].change(kind, value)


def _for_clients(draft: Draft) -> None:
    _common_name(None)(draft)
    draft.leaf.change("purposes", purposes(CLIENT))


def _deep_and_old(draft: Draft) -> None:
    """The root's path length is found at the leaf, the date of the lowest CA before."""
    draft.middles.append(authority("Lower", key("p256", 9)))
    draft.root.change("basic", basic(ca=True, path_length=1))
    draft.middles[1].ends = AT - DAY


def _old_behind_a_gap(draft: Draft) -> None:
    """The leaf's issuer was not sent, but one above it that is too old."""
    draft.middles.append(authority("Lower", key("p256", 9)))
    draft.middles[0].ends = AT - DAY
    draft.arrange.append(lambda sent: [sent[0], sent[2]])


def _anchor_below_the_root(draft: Draft) -> None:
    """The intermediate is an anchor, too, in a form that may not sign."""
    odd = authority("Issuer", key("p256", 4))
    odd.change("usage", usage("cRLSign"))
    draft.anchors.append(odd.issue(draft.root))


def _anchor_alone(draft: Draft) -> None:
    _anchor_below_the_root(draft)
    draft.trusted = False


def _no_usage_and_another_name(draft: Draft) -> None:
    draft.middles[0].change("usage", b"")
    draft.leaf.change("san", seq(dns("other.test")))


def _named(pattern: str, host: str) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.leaf.change("san", seq(dns(pattern)))
        draft.host = host

    return spoil


def _leap_second(draft: Draft) -> None:
    draft.leaf.validity = seq(moment(AT - DAY), tlv(0x17, b"270101000060Z"))


def _empty_address(draft: Draft) -> None:
    draft.leaf.change("san", seq(dns("good.test"), address(b"")))


CASES = (
    Case("only a CN", _common_name(None)),
    Case("a CN and a mailbox", _common_name(seq(mail("a@b.test")))),
    Case("a CN and no name", _common_name(seq())),
    Case("a CN and a URI", _common_name(seq(uri("https://u.test"))), "no-san"),
    Case("a CN and an address", _common_name(seq(address(b"\1\2\3\4"))), "hostname-mismatch"),
    Case("a CN of ASCII", _common_name(None, 0x16), "no-san"),
    Case("a CN for clients", _for_clients, "no-san"),
    Case("a final dot", _named("good.test.", "good.test"), "hostname-mismatch"),
    Case("asked with a final dot", _named("good.test", "good.test."), "hostname-mismatch"),
    Case("an empty name", _named("", "good.test"), "malformed-certificate"),
    Case("a dot behind a constraint", _middle("constraints", constraints([dns("test.")], []))),
    Case(
        "a constraint without a mask",
        _middle("constraints", constraints([address(b"\1\2\3\4")], [])),
        "name-constraints",
    ),
    Case(
        "a mask with gaps",
        _middle("constraints", constraints([address(b"\xc0\0\2\0\xff\0\xff\0")], [])),
        "name-constraints",
    ),
    Case(
        "names of the leaf alone are limited",
        lambda draft: draft.root.change(
            "constraints", constraints([directory(name("good.test"))], [])
        ),
    ),
    Case("a usage that is none", _middle("usage", b""), "malformed-certificate"),
    Case("no usage, another name", _no_usage_and_another_name, "hostname-mismatch"),
    Case("features that are none", _middle("feature", b"\4\1"), "name-constraints"),
    Case(
        "a long path length",
        _middle("basic", seq(b"\x01\x01\xff", integer(1 << 40))),
        "issuer-not-ca",
    ),
    Case("a negative path length", _middle("basic", seq(b"\x01\x01\xff", integer(-1)))),
    Case("a usage in bits that do not count", _middle("usage", bit_string(b"\x06", 5))),
    Case("a usage of other bits", _middle("usage", bit_string(b"\xa0", 5)), "issuer-not-ca"),
    Case("a sixtieth second", _leap_second),
    Case("an empty address", _empty_address, "malformed-certificate"),
    Case("too deep and too old", _deep_and_old, "expired-intermediate"),
    Case("too old behind a gap", _old_behind_a_gap, "expired-intermediate"),
    Case("an anchor below the root", _anchor_below_the_root),
    Case("an anchor that may not sign", _anchor_alone, "issuer-not-ca"),
)
CHAINS = [case.chain() for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_policy_says_what_gnutls_says(case: Case) -> None:
    chain = case.chain()
    judge = Judge(Anchors(chain.anchors, "roots.pem", private=True))

    verdict = judge.judge(chain.sent, host=chain.host, at=AT, policy="gnutls", staple=b"")

    headline = verdict.headline.category.value if verdict.headline else ""
    assert headline == case.expected, verdict.findings


@pytest.mark.slow
@pytest.mark.real("gnutls-cli")
def test_gnutls_says_what_the_table_says() -> None:
    """So the table is what was measured, with the version that is installed here."""
    oracle = next(one for one in ORACLES if one.name == "gnutls")
    if oracle.missing():
        pytest.skip(f"{oracle.missing()} is not installed")

    said = ask(oracle, CHAINS).said

    for case, chain in zip(CASES, CHAINS, strict=True):
        words = said[chain.id]
        assert (words == "ok") == (case.expected == ""), (case.name, words)
        if case.expected:
            assert case.expected in meant("gnutls", words), (case.name, words)
