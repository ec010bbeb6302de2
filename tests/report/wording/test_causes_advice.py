import pytest

from stress.model.claims import FailureCount
from stress.model.plan import Client
from stress.model.run import SeenChain
from stress.model.summary import ClientView
from stress.report.wording.causes import met_by, remedy, who_sees
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


def test_clients_are_grouped_by_their_answer() -> None:
    views = {
        "go": ClientView("yes", "x509: certificate signed by unknown authority"),
        "chrome": ClientView("sometimes", "ERR_CERT (-202) where AIA cannot repair it"),
        "java": ClientView("no", ""),
    }

    assert who_sees(views) == (
        "Fails for go (x509: certificate signed by unknown authority). "
        "Sometimes for chrome (ERR_CERT (-202) where AIA cannot repair it). Not for java."
    )


def test_a_code_is_never_cut() -> None:
    report = "NSURLErrorDomain -1202, TLS code one of -9807, -9813; SecTrust -25318 or -67843"

    assert who_sees({"x": ClientView("yes", report)}) == f"Fails for x ({report})."


def test_what_was_measured_comes_first_and_the_worst_client_leads() -> None:
    clients = [Client(name) for name in ("go", "ios-26", "chrome", "generic")]
    counts = {0: FailureCount(0, 300), 1: FailureCount(79, 330), 2: FailureCount(9, 90)}
    counts[3] = FailureCount(0, 280)

    assert met_by(clients, counts) == (
        "Measured: 79 of 330 (23.9%) as ios-26, 9 of 90 (10%) as chrome, 0 of 580 (0%) as others."
    )
    assert met_by(clients[:1], {0: FailureCount(5, 9)}) == ""


def test_no_client_no_words() -> None:
    assert who_sees({}) == ""
