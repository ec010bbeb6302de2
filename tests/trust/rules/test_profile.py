from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from OpenSSL import crypto

from stress.model.chain import Refusal
from stress.trust import Anchors, Judge
from tests.trust.certificates import AT, AUTHORITY, HOST, Certificate, Wanted, elliptic, issue
from tests.trust.defects import ALL

ROOT = replace(AUTHORITY, common_name="Profile Root")
MIDDLE = replace(AUTHORITY, common_name="Profile CA")
LEAF = Wanted()
OLDER = 89
"""OpenSSL 3 rejects this one, OpenSSL 4 does not."""
AUTHORITY_ID, SUBJECT_ID = x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier


def path(wanted: tuple[Wanted, ...]) -> tuple[Certificate, ...]:
    """Root, intermediate and leaf."""
    root = issue(wanted[0], key=elliptic("Profile Root"))
    middle = issue(wanted[1], issuer=root, key=elliptic("Profile CA"))
    return root, middle, issue(wanted[2], issuer=middle)


def strict_openssl(made: tuple[Certificate, ...]) -> int:
    """The code with which OpenSSL verifies a path in strict mode, as Python 3.13 does; 0: good."""
    root, middle, leaf = (crypto.load_certificate(crypto.FILETYPE_ASN1, one.der) for one in made)
    store = crypto.X509Store()
    store.add_cert(root)
    store.set_flags(crypto.X509StoreFlags.X509_STRICT)
    store.set_time(datetime.fromtimestamp(AT, UTC))
    try:
        crypto.X509StoreContext(store, leaf, [middle]).verify_certificate()
    except crypto.X509StoreContextError as error:
        return int(error.errors[0])
    return 0


@pytest.mark.parametrize(
    ("wanted", "detail", "code"),
    [
        ((ROOT, MIDDLE, LEAF), "", 0),
        ((replace(ROOT, without=[AUTHORITY_ID]), MIDDLE, LEAF), "", 0),
        ((ROOT, MIDDLE, replace(LEAF, without=[SUBJECT_ID])), "", 0),
        ((ROOT, MIDDLE, replace(LEAF, without=[AUTHORITY_ID])), "no authorityKeyIdentifier", 85),
        (
            (ROOT, replace(MIDDLE, without=[AUTHORITY_ID]), LEAF),
            "Profile CA: no authorityKeyIdentifier",
            85,
        ),
        (
            (ROOT, replace(MIDDLE, without=[SUBJECT_ID]), LEAF),
            "Profile CA: no subjectKeyIdentifier",
            86,
        ),
        (
            (replace(ROOT, without=[x509.KeyUsage]), MIDDLE, LEAF),
            "Profile Root: a CA without keyUsage",
            92,
        ),
        (
            (ROOT, replace(MIDDLE, uncritical=True), LEAF),
            "Profile CA: no critical basicConstraints",
            OLDER,
        ),
    ],
)
def test_strict_clients_reject_what_openssl_rejects_in_strict_mode(
    wanted: tuple[Wanted, ...], detail: str, code: int
) -> None:
    root, middle, leaf = made = path(wanted)
    judge = Judge(Anchors((root.der,), "roots.pem", private=True))

    verdicts = {
        name: judge.judge((leaf.der, middle.der), host=HOST, at=AT, policy=name)
        for name in (*ALL, "python-3.13")
    }

    strict = verdicts.pop("python-3.13")
    found = [one.detail for one in strict.findings]
    assert found == ([f"{detail} (RFC 5280)"] if detail else [])
    assert strict_openssl(made) in {code, 0 if code == OLDER else code}
    assert all(one.refusal is Refusal.NO for one in verdicts.values())
