from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from stress.model.outcome import Category
from stress.trust import Judge
from stress.trust.aia import Repair, certificates_in, repair
from tests.trust.certificates import AT, AUTHORITY, HOST, Wanted, authorities, chain, issue, leaf
from tests.trust.defects import good

URL = "http://ca.test/i.cer"


class Web:
    """Answers from a table; what is not in it cannot be reached."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = {f"http://ca.test/{name}.cer": body for name, body in pages.items()}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise OSError("cannot be reached")
        return self.pages[url]


def repair_chains(judge: Judge, sent: tuple[bytes, ...], web: Web, policy: str = "any") -> Repair:
    return repair(judge, sent, host=HOST, at=AT, policy=policy, fetch=web)


def test_the_missing_intermediate_is_fetched_and_is_all_that_was_missing(judge: Judge) -> None:
    a = authorities()
    sent = good(issuer_url=URL)[:1]

    found = repair_chains(judge, sent, Web(i=a.intermediate.der))

    assert found.before.headline is not None
    assert found.before.headline.category is Category.INCOMPLETE_CHAIN
    assert found.complete
    assert found.added == (a.intermediate.der,)
    assert found.addresses == (URL,)
    assert found.notes == ()


def test_two_missing_intermediates_are_fetched_one_after_the_other(judge: Judge) -> None:
    a = authorities()
    upper = issue(replace(AUTHORITY, common_name="Upper"), issuer=a.root)
    lower = issue(
        replace(AUTHORITY, common_name="Lower", issuer_url="http://ca.test/u.cer"), issuer=upper
    )
    made = issue(Wanted(issuer_url=URL), issuer=lower)
    judge.meet(chain(upper))
    web = Web(i=lower.der, u=upper.der)

    found = repair_chains(judge, chain(made), web)

    assert found.complete
    assert found.added == (lower.der, upper.der)


def test_another_defect_remains_after_the_repair(judge: Judge) -> None:
    sent = good(issuer_url=URL, dns=("old.test",))[:1]

    found = repair_chains(judge, sent, Web(i=authorities().intermediate.der))

    assert not found.complete
    assert found.after.headline is not None
    assert found.after.headline.category is Category.HOSTNAME_MISMATCH


def test_a_wrong_intermediate_is_repaired_too(judge: Judge) -> None:
    made = leaf(issuer_url=URL)
    sent = chain(made, authorities().other_intermediate)

    assert repair_chains(judge, sent, Web(i=authorities().intermediate.der)).complete


def test_a_chain_that_lacks_nothing_fetches_nothing(judge: Judge) -> None:
    web = Web()

    found = repair_chains(judge, good(issuer_url=URL), web)

    assert found.complete
    assert web.asked == []


@pytest.mark.parametrize(
    ("web", "note"),
    [
        (Web(), "http://ca.test/i.cer: cannot be reached"),
        (Web(i=b"<html>"), "http://ca.test/i.cer: no certificate"),
    ],
)
def test_what_cannot_be_fetched_is_noted(judge: Judge, web: Web, note: str) -> None:
    found = repair_chains(judge, good(issuer_url=URL)[:1], web)

    assert not found.complete
    assert found.added == ()
    assert found.notes == (note,)


def test_an_address_that_gives_another_certificate_repairs_nothing(judge: Judge) -> None:
    found = repair_chains(
        judge, good(issuer_url=URL)[:1], Web(i=authorities().other_intermediate.der)
    )

    assert not found.complete
    assert found.added == ()


def test_without_a_url_nothing_is_fetched(judge: Judge) -> None:
    found = repair_chains(judge, good()[:1], Web())

    assert found.notes == ("good.test gives no http URL of its issuer",)


def test_answers_are_read_in_every_form_that_cas_use() -> None:
    der = authorities().intermediate.der
    parsed = x509.load_der_x509_certificate(der)
    forms = [
        der,
        parsed.public_bytes(Encoding.PEM),
        pkcs7.serialize_certificates([parsed], Encoding.DER),
        pkcs7.serialize_certificates([parsed], Encoding.PEM),
    ]

    assert [certificates_in(form) for form in forms] == [(der,)] * 4
    assert certificates_in(b"") == certificates_in(b"\x30\x03abc") == ()
