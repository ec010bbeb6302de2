from stress.analysis.advice import remedy, who_sees
from stress.model.run import SeenChain
from stress.model.summary import ClientView


def test_the_missing_certificate_is_named(leaf_and_more: tuple[SeenChain, SeenChain]) -> None:
    fix = remedy("incomplete-chain", leaf_and_more[0])

    assert "Lab Intermediate A" in fix
    assert fix[0].isupper()
    assert fix.endswith(".")


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
        "Sometimes for chrome (ERR_CERT). Not for java."
    )


def test_long_reports_are_cut_at_a_word() -> None:
    text = who_sees({"x": ClientView("yes", "one two three four five six seven eight nine eleven")})

    assert text == "Fails for x (one two three four five six seven eight nine …)."


def test_no_client_no_words() -> None:
    assert who_sees({}) == ""
