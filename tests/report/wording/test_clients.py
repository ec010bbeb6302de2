from stress.model.outcome import ClientView
from stress.report.wording.clients import who_sees


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


def test_no_client_no_words() -> None:
    assert who_sees({}) == ""
