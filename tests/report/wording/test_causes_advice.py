import pytest

from stress.model.run import SeenChain
from stress.report.wording.causes import remedy
from stress.trust import describe
from tests.trust.certificates import authorities
from tests.trust.defects import good, two_intermediates


def test_the_missing_certificate_is_named(leaf_and_more: tuple[SeenChain, SeenChain]) -> None:
    fix = remedy("incomplete-chain", leaf_and_more[0])

    assert "Lab Intermediate A" in fix
    assert fix[0].isupper()
    assert fix.endswith(".")


def sent(*certificates: bytes) -> SeenChain:
    return SeenChain(1, b"", certificates, 1, 0, 0)


def test_the_missing_certificate_is_named_whatever_else_was_sent() -> None:
    """Strangers, a wrong intermediate, a wrong order: the issuer counts that nobody signed for."""
    a, (leaf, lower, upper) = authorities(), two_intermediates()

    stranger = remedy("incomplete-chain", sent(good()[0], a.rogue_intermediate.der))
    wrong = remedy("wrong-intermediate", sent(good()[0], a.other_intermediate.der))
    second = remedy("incomplete-chain", sent(leaf, a.rogue_root.der, lower))

    assert "CN=Test Intermediate" in stranger
    assert "(CN=Test Intermediate)" in wrong
    assert f"{describe(upper).subject}, then reload" in second


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("http://ca.test/i.cer", " It is available at http://ca.test/i.cer."),
        ("file:///etc/passwd", "reload."),
        ("ldap://ca.test/cn=x", "reload."),
    ],
)
def test_only_addresses_that_a_browser_opens_are_passed_on(url: str, end: str) -> None:
    assert remedy("incomplete-chain", sent(*good(issuer_url=url)[:1])).endswith(end)


def test_a_leaf_that_cannot_be_read_names_nothing() -> None:
    assert "the intermediate certificate" in remedy("incomplete-chain", sent(b"garbage"))


def test_other_failures_have_a_fix_too() -> None:
    assert remedy("reset")
    assert remedy("alert-112")
