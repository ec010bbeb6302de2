from stress.analysis.causes.likely import Signs, catalogue, likely
from stress.model.outcome import Outcome

SHAPES = {"constant", "began", "ended", "window", "bursts"}


def test_the_catalogue_speaks_the_projects_words() -> None:
    for root in catalogue():
        assert root.says
        assert root.categories
        assert set(root.shapes) <= SHAPES
        assert set(root.loads) <= {"independent", "dependent"}
        for category in root.categories:
            assert category == "alert-*" or Outcome.parse(category).name == category


def test_the_most_specific_comes_first() -> None:
    found = likely(
        Signs("hostname-mismatch", ["address"], "constant", subject="TRAEFIK DEFAULT CERT")
    )

    assert "placeholder" in found[0] or "default certificate" in found[0]
    assert 1 < len(found) <= 3


def test_an_expired_leaf_that_began_in_the_run_expired_there() -> None:
    found = likely(Signs("expired-leaf", ["chain"], "began"))

    assert any("expired while the run went on" in one for one in found)


def test_overload_needs_a_proof_of_load() -> None:
    assert not any("accept queue" in one for one in likely(Signs("reset", ["none"], "constant")))
    dependent = likely(Signs("timeout-connect", ["none"], "constant", load="dependent"))
    assert any("accept queue" in one for one in dependent)


def test_any_alert_matches_the_wildcard_and_the_unknown_nothing() -> None:
    assert any("tickets" in one for one in likely(Signs("alert-115", ["resumed"], "constant")))
    assert likely(Signs("malformed-certificate", ["none"], "constant")) == ()
