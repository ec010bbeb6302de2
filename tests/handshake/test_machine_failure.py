from __future__ import annotations

import pytest

from stress.handshake.machine import Failure, describe, judge, spell
from stress.model.outcome import Category, Outcome, Stage

HELLO, SERVER, CERTIFICATE = Stage.CLIENT_HELLO, Stage.SERVER_HELLO, Stage.CERTIFICATE


@pytest.mark.parametrize(
    ("alert", "stage", "requested", "outcome"),
    [
        (40, HELLO, False, "no-shared-cipher"),
        (71, HELLO, False, "no-shared-cipher"),
        (70, HELLO, False, "no-shared-version"),
        (40, SERVER, False, "alert-40"),
        (70, CERTIFICATE, False, "alert-70"),
        (40, CERTIFICATE, True, "client-certificate-required"),
        (42, CERTIFICATE, True, "client-certificate-required"),
        (42, CERTIFICATE, False, "alert-42"),
        (80, CERTIFICATE, True, "alert-80"),
        (116, CERTIFICATE, False, "client-certificate-required"),
        (112, HELLO, False, "alert-112"),
        (0, HELLO, False, "alert-0"),
        (255, HELLO, False, "alert-255"),
    ],
)
def test_an_alert_means_what_its_stage_makes_of_it(
    alert: int, stage: Stage, outcome: str, *, requested: bool
) -> None:
    judged = judge(Failure(("ANY",), alert), stage, requested=requested)

    assert judged == (Outcome.parse(outcome), stage)


@pytest.mark.parametrize(
    ("reasons", "stage", "category", "proven"),
    [
        (("ECDSA:BAD_SIGNATURE", "BAD_SIGNATURE"), SERVER, "bad-signature", CERTIFICATE),
        (("RSA:DATA_TOO_LARGE", "BAD_SIGNATURE"), SERVER, "bad-signature", CERTIFICATE),
        (("ASN1:DECODE_ERROR", "DECODE_ERROR"), SERVER, "malformed-certificate", CERTIFICATE),
        (("UNSUPPORTED_PROTOCOL",), HELLO, "no-shared-version", HELLO),
        (("UNSUPPORTED_PROTOCOL",), SERVER, "no-shared-version", SERVER),
        (("ELLIPTIC:POINT_IS_NOT_ON_CURVE", "BAD_ECPOINT"), SERVER, "protocol-error", SERVER),
        (("KEY_USAGE_BIT_INCORRECT",), SERVER, "wrong-eku", CERTIFICATE),
        (("MALLOC_FAILURE",), SERVER, "local-memory", SERVER),
        (("NEVER_HEARD_OF",), SERVER, "protocol-error", SERVER),
        ((), HELLO, "protocol-error", HELLO),
    ],
)
def test_the_highest_reason_that_is_known_decides(
    reasons: tuple[str, ...], stage: Stage, category: str, proven: Stage
) -> None:
    judged = judge(Failure(reasons), stage, requested=False)

    assert judged == (Outcome(Category(category)), proven)


@pytest.mark.parametrize(
    ("failure", "sent", "words"),
    [
        (Failure(("X",), 40), None, "alert 40 handshake_failure received"),
        (Failure((), 99), 10, "alert 99 unassigned received"),
        (Failure(("A", "B", "A")), 50, "A, B; alert 50 decode_error sent"),
        (Failure(("A",)), None, "A"),
        (Failure(()), None, "no reason given"),
    ],
)
def test_the_detail_says_what_happened(failure: Failure, sent: int | None, words: str) -> None:
    assert describe(failure, sent) == words


@pytest.mark.parametrize(
    ("library", "reason", "spelt"),
    [
        ("SSL routines", "bad signature", "BAD_SIGNATURE"),
        ("SSL routines", "BAD_SIGNATURE", "BAD_SIGNATURE"),
        ("ASN.1 encoding routines", "DECODE_ERROR", "ASN1:DECODE_ERROR"),
        ("asn1 encoding routines", "wrong tag", "ASN1:WRONG_TAG"),
        ("", "no library", "NO_LIBRARY"),
    ],
)
def test_both_libraries_are_spelt_alike(library: str, reason: str, spelt: str) -> None:
    assert spell(library, reason) == spelt
