"""Certificate policies, where an issuer requires one; `tests/oracles/` asks Go and Java."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509

from stress.model.chain import Refusal
from stress.trust import Judge
from tests.trust.certificates import AT, AUTHORITY, HOST, Wanted, authorities, chain, issue

REQUIRED = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
ANY = "2.5.29.32.0"


def policies(*identifiers: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(one), None) for one in identifiers]
    )


@pytest.mark.parametrize(
    ("issuer", "leaf", "refused"),
    [
        ((), (), False),
        ((REQUIRED,), (), True),
        ((REQUIRED, policies("1.2.3")), (policies("1.2.3"),), False),
        ((REQUIRED, policies("1.2.3")), (policies("1.2.4"),), True),
        ((REQUIRED, policies(ANY)), (policies("1.2.4"),), False),
        ((REQUIRED, policies(ANY), x509.InhibitAnyPolicy(0)), (policies(ANY),), True),
        ((policies("1.2.3"),), (policies("1.2.4"),), False),
    ],
)
@pytest.mark.parametrize("policy", ["go", "java", "openssl"])
def test_a_policy_must_hold_where_one_is_required(
    judge: Judge,
    policy: str,
    issuer: tuple[x509.ExtensionType, ...],
    leaf: tuple[x509.ExtensionType, ...],
    refused: bool,
) -> None:
    wanted = replace(AUTHORITY, common_name="Policy CA", critical_extra=issuer)
    middle = issue(wanted, issuer=authorities().root)
    sent = chain(issue(replace(Wanted(), extra=leaf), issuer=middle), middle)

    verdict = judge.judge(sent, host=HOST, at=AT, policy=policy)

    expected = refused and policy != "openssl"
    assert (verdict.refusal is Refusal.YES) == expected, verdict.findings
