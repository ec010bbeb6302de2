from stress.model.claims import FailureCount
from stress.model.outcome import ClientView
from stress.model.plan import Client
from stress.report.wording.clients import met_by, who_sees


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
