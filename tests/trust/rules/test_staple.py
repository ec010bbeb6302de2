from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Category
from stress.trust import Judge
from stress.trust.rules.staple import Staple, read_staple
from tests.trust.certificates import AT, HOST, authorities, leaf

GOOD, REVOKED, UNKNOWN = (
    ocsp.OCSPCertStatus.GOOD,
    ocsp.OCSPCertStatus.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN,
)


def moment(days: int) -> datetime:
    return datetime.fromtimestamp(AT, UTC) + timedelta(days=days)


def response(
    der: bytes, status: ocsp.OCSPCertStatus = GOOD, since: int = -1, until: int = 1
) -> bytes:
    """A response of the test CA about a certificate."""
    issuer = authorities().intermediate
    parsed = x509.load_der_x509_certificate(issuer.der)
    revoked = status is REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=x509.load_der_x509_certificate(der),
        issuer=parsed,
        algorithm=hashes.SHA256(),
        cert_status=status,
        this_update=moment(since),
        next_update=moment(until),
        revocation_time=moment(-10) if revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )
    named = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, parsed)
    return named.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


MADE = leaf(must_staple=True)
PLAIN = leaf()
STAPLE = response(MADE.der)


def ask(judge: Judge, staple: bytes | None, policy: str, der: bytes = MADE.der) -> Verdict:
    sent = (der, authorities().intermediate.der)
    return judge.judge(sent, host=HOST, at=AT, policy=policy, staple=staple)


@pytest.mark.parametrize("policy", ["apple", "chrome", "java", "go", "openssl", "android"])
def test_only_firefox_rejects_a_missing_staple(judge: Judge, policy: str) -> None:
    assert ask(judge, b"", policy).refusal is Refusal.NO
    headline = ask(judge, b"", "firefox").headline
    assert headline is not None
    assert headline.category is Category.MUST_STAPLE_MISSING


def test_not_requesting_a_staple_is_not_a_finding_against_the_target(judge: Judge) -> None:
    verdict = ask(judge, None, "any")

    assert verdict.headline is None
    assert verdict.findings[0].detail.endswith("none was requested")
    assert ask(judge, None, "any", PLAIN.der).findings == ()
    assert ask(judge, b"", "any", PLAIN.der).findings == ()


def test_a_good_staple_satisfies_everybody(judge: Judge) -> None:
    assert ask(judge, response(MADE.der), "any").findings == ()


@pytest.mark.parametrize(
    ("staple", "told"),
    [
        (lambda: response(MADE.der, until=-1, since=-3), "expired 2026-11-22T00:00:00Z"),
        (lambda: response(MADE.der, since=1, until=2), "not valid before 2026-11-24T00:00:00Z"),
        (lambda: response(PLAIN.der), "for another certificate"),
        (lambda: response(MADE.der, UNKNOWN), "certificate is unknown"),
        (lambda: b"\x30\x03abc", "cannot be read"),
        (
            lambda: ocsp.OCSPResponseBuilder.build_unsuccessful(
                ocsp.OCSPResponseStatus.TRY_LATER
            ).public_bytes(Encoding.DER),
            "says try_later",
        ),
    ],
)
def test_a_bad_staple_says_what_is_bad(
    judge: Judge, staple: Callable[[], bytes], told: str
) -> None:
    verdict = ask(judge, staple(), "firefox")

    assert verdict.headline is not None
    assert verdict.headline.category is Category.BAD_STAPLE
    assert told in verdict.headline.detail
    assert ask(judge, staple(), "java").refusal is Refusal.NO


def test_a_staple_that_says_revoked_is_believed_by_those_who_look(judge: Judge) -> None:
    staple = response(MADE.der, REVOKED)

    found = {
        name
        for name in ("apple", "chrome", "firefox", "java", "go", "openssl", "android")
        if ask(judge, staple, name).refusal is Refusal.YES
    }

    headline = ask(judge, staple, "any").headline
    assert found == {"apple", "chrome", "firefox"}
    assert headline is not None
    assert headline.category is Category.REVOKED
    assert headline.detail == "revoked 2026-11-13T00:00:00Z according to the staple"


@pytest.mark.slow
@given(st.binary(max_size=200))
def test_any_bytes_are_a_staple_with_a_problem(data: bytes) -> None:
    assert read_staple(data, 1, AT).problem


@pytest.mark.slow
@given(data=st.data())
def test_every_flip_in_a_good_staple_is_read(data: st.DataObject) -> None:
    staple = bytearray(STAPLE)
    staple[data.draw(st.integers(0, len(staple) - 1))] = data.draw(st.integers(0, 255))

    assert isinstance(read_staple(bytes(staple), 1, AT), Staple)
