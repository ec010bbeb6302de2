from __future__ import annotations

import random
import re
import time
import tomllib
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from stress.codes.catalog import code_tables
from stress.errors import UsageError
from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Category, Kind
from stress.trust import Judge, describe, load_anchors, policy_names
from stress.trust.anchors import first_store
from tests.trust.certificates import AT, DAY, HOST, Wanted, authorities, chain, encode, issue, leaf
from tests.trust.defects import ALL, DEFECTS, Defect, good, public, under_rsa
from tests.yardstick import stretched

MEASURED = tomllib.loads(
    (Path(__file__).parent / "data" / "measured.toml").read_text(encoding="utf-8")
)
CELLS = [(defect, policy) for defect in DEFECTS for policy in ALL]


def ask(
    judge: Judge, certificates: tuple[bytes, ...], policy: str = "any", host: str = HOST
) -> Verdict:
    return judge.judge(certificates, host=host, at=AT, policy=policy)


@pytest.mark.parametrize(
    ("defect", "policy"), CELLS, ids=[f"{defect.name}-{policy}" for defect, policy in CELLS]
)
def test_each_policy_says_to_each_defect_what_the_table_says(defect: Defect, policy: str) -> None:
    verdict = ask(Judge(defect.anchors()), defect.make(), policy, defect.host)

    if policy in defect.yes:
        expected = Refusal.YES
    else:
        expected = Refusal.SOMETIMES if policy in defect.sometimes else Refusal.NO
    assert verdict.refusal is expected, verdict.findings
    if expected is not Refusal.NO:
        assert verdict.headline is not None
        assert verdict.headline.category.value == defect.category, verdict.findings
        assert verdict.headline is verdict.findings[0]


@pytest.mark.parametrize("policy", ["openssl", "curl", "java", "go"])
@pytest.mark.parametrize("case", MEASURED)
def test_policies_agree_with_what_was_measured(case: str, policy: str) -> None:
    """Whether it is refused, without exception; the texts are for the reader."""
    defect = next(one for one in DEFECTS if one.name == case)

    refused = policy in defect.yes

    assert refused == (MEASURED[case][policy] != "accepts")


@pytest.mark.parametrize("case", MEASURED)
def test_the_verify_code_that_was_measured_can_mean_what_we_say(case: str) -> None:
    defect = next(one for one in DEFECTS if one.name == case)
    code = re.search(r"verify_code=(\d+)", MEASURED[case]["openssl"])

    if code is not None:
        assert defect.category in code_tables()["openssl"].codes[code[1]].categories


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda one: one.name)
def test_any_fails_when_one_mainstream_family_refuses_and_says_which(defect: Defect) -> None:
    verdict = ask(Judge(defect.anchors()), defect.make(), "any", defect.host)

    refusing = {*defect.yes, *defect.sometimes} - {"apple-ios12", "curl"}
    assert set(verdict.families) == refusing
    assert (verdict.refusal is not Refusal.NO) == bool(refusing)
    if refusing:
        assert verdict.headline is not None
        assert verdict.headline.category.value == defect.category


def test_the_table_produces_every_trust_category_that_needs_no_extra_evidence() -> None:
    produced = {defect.category for defect in DEFECTS}
    by_other_tests = {"revoked", "must-staple-missing", "bad-staple", "pin-mismatch"}

    trust = {one.value for one in Category if one.kind is Kind.TRUST}

    assert trust - produced == by_other_tests


def test_all_findings_are_reported_and_the_structure_is_the_headline(judge: Judge) -> None:
    certificates = chain(leaf(ends=-DAY, dns=("old.test",)), authorities().root)

    verdict = ask(judge, certificates)

    assert [one.category for one in verdict.findings] == [
        Category.INCOMPLETE_CHAIN,
        Category.HOSTNAME_MISMATCH,
        Category.EXPIRED_LEAF,
    ]


def test_no_policy_means_no_judgement(judge: Judge) -> None:
    verdict = ask(judge, (b"garbage",), "none")

    assert verdict.findings == ()
    assert verdict.headline is None


def test_an_unknown_policy_offers_the_nearest(judge: Judge) -> None:
    with pytest.raises(UsageError) as caught:
        ask(judge, good(), "aple")

    assert "'aple'" in caught.value.message
    assert "apple" in (caught.value.hint or "")


def test_an_empty_chain_is_malformed(judge: Judge) -> None:
    verdict = ask(judge, ())

    assert verdict.headline is not None
    assert verdict.headline.category is Category.MALFORMED_CERTIFICATE


def test_an_intermediate_met_elsewhere_is_named_as_the_missing_one(judge: Judge) -> None:
    alone = good()[:1]
    before = ask(judge, alone)

    judge.meet(good())
    after = ask(judge, alone)

    assert before.headline is not None
    assert after.headline is not None
    assert before.headline.category is Category.UNTRUSTED_ROOT
    assert "was not sent and is not a trust anchor; or it is an intermediate" in (
        before.headline.detail
    )
    assert after.headline.category is Category.INCOMPLETE_CHAIN
    assert "Test Intermediate was not sent; other chains of this run have it" in (
        after.headline.detail
    )


def test_a_root_met_elsewhere_turns_a_lonely_leaf_into_an_untrusted_one(judge: Judge) -> None:
    a = authorities()
    rogue = next(one for one in DEFECTS if one.name == "untrusted-root-sent").make()
    judge.meet(chain(a.rogue_intermediate, a.rogue_root))

    verdict = ask(judge, rogue[:1])

    assert verdict.headline is not None
    assert verdict.headline.category is Category.UNTRUSTED_ROOT


def test_the_same_question_gets_the_same_answer(judge: Judge) -> None:
    certificates = good(ends=-DAY)

    assert ask(judge, certificates) == ask(judge, certificates)
    assert ask(Judge(public()), certificates) == ask(Judge(public()), certificates)


def test_pins_are_looked_for_in_the_whole_path_but_by_curl_in_the_leaf_only() -> None:
    certificates = good(scts=3)
    issuer = describe(certificates[1]).spki_sha256
    pinned = Judge(public(), pins=[issuer])
    other = Judge(public(), pins=[sha256(b"another key").digest()])

    assert ask(pinned, certificates, "apple").refusal is Refusal.NO
    assert ask(pinned, certificates, "curl").refusal is Refusal.YES
    headline = ask(other, certificates, "any").headline
    assert headline is not None
    assert headline.category is Category.PIN_MISMATCH


def test_every_policy_is_offered() -> None:
    more = {"go-1.19", "java-21", "python-3.13", "openssl-strict", "node", "gnutls", "android-17"}
    assert set(policy_names()) == {*ALL, "any", "none", *more}


def mutated(der: bytes, other: bytes, chance: random.Random) -> bytes:
    """One certificate with one thing done to it."""
    at, end = sorted(chance.randrange(len(der)) for _ in "ab")
    flipped = bytearray(der)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        flipped[chance.randrange(len(der))] = chance.randrange(256)
    return chance.choice(
        (
            bytes(flipped),
            bytes(flipped),
            bytes(flipped),
            der[:at],
            der[:at] + der[end:],
            der[:end] + der[at:],
            der[:at] + chance.randbytes(chance.randrange(1, 9)) + der[at:],
            der[:at] + other[at:],
        )
    )


@pytest.mark.long
@pytest.mark.slow
def test_ten_thousand_mutations_are_judged_without_an_error_and_in_time(judge: Judge) -> None:
    """Each under a second; the clock is the processor's, for the machine may be busy."""
    chance = random.Random(20261123)
    roots = first_store([Path(certifi.where())])
    originals = [*good(scts=2, must_staple=True, issuer_url="http://ca.test/"), *under_rsa()]
    originals += chance.sample(roots, 20)

    slowest = 0.0
    for number in range(10_000):
        chosen, other = chance.choice(originals), chance.choice(originals)
        odd = mutated(chosen, other, chance)
        sent = chance.choice(((odd, originals[1]), (originals[0], odd), (odd,)))
        begun = time.process_time()
        verdict = ask(judge, sent, "any" if number % 4 == 0 else chance.choice(ALL))
        slowest = max(slowest, time.process_time() - begun)
        assert all(one.detail.isprintable() for one in verdict.findings)

    assert slowest < stretched(1)


@pytest.mark.slow
@given(st.lists(st.binary(max_size=300), max_size=4), st.text(max_size=80))
def test_any_bytes_get_a_verdict(sent: list[bytes], host: str) -> None:
    verdict = ask(Judge(public()), tuple(sent), "any", host)

    assert verdict.headline is not None
    assert verdict.headline.category is Category.MALFORMED_CERTIFICATE


@pytest.mark.slow
def test_a_policy_judges_a_new_chain_in_a_few_milliseconds() -> None:
    """Twenty at most are promised; the best of several, in processor time."""
    chains = [good() for _ in range(20)]
    judge = Judge(load_anchors(None))
    ask(judge, chains[0], "apple")

    took = []
    for sent in chains[1:]:
        begun = time.process_time()
        ask(judge, sent, "apple")
        took.append(time.process_time() - begun)

    assert min(took) < stretched(0.02)


@pytest.mark.parametrize("names", [(b"\xff" * 100_000,), (b"\xc3\xa9" * 20 + b".test",) * 2_000])
def test_names_beyond_ascii_do_not_stop_it(judge: Judge, names: tuple[bytes, ...]) -> None:
    """IDNA is slow in the length of a name, and every policy compares all of them."""
    listed = encode(0x30, b"".join(encode(0x82, name) for name in names))
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), listed)

    begun = time.process_time()
    verdict = ask(judge, good(dns=(), extra=(odd,)))

    assert verdict.headline is not None
    assert verdict.headline.category is Category.MALFORMED_CERTIFICATE
    assert time.process_time() - begun < stretched(0.6)


def test_two_thousand_certificates_of_one_name_do_not_stop_it(judge: Judge) -> None:
    """A hostile server can send as many as fit into its flight."""
    made = leaf(common_name="Many")
    extra = [issue(replace(Wanted(), common_name="Test Intermediate")).der for _ in range(60)]

    begun = time.process_time()
    verdict = ask(judge, (made.der, *extra * 30))

    assert verdict.headline is not None
    assert time.process_time() - begun < stretched(1)
