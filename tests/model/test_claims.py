from stress.model.claims import (
    Basis,
    Claim,
    Explanation,
    Notice,
    NoticeKind,
    UnexplainedClaim,
    ValidityClaim,
)
from stress.model.summary import RiskRatio


def claim(basis: Basis) -> Claim:
    return Claim(basis, "reset", None, 1, 1, 1.0, 1.0, RiskRatio(None, 1.0, None), 1.0, "strong")


def test_inconsistencies_are_no_claims_about_failures() -> None:
    found = Explanation((claim(Basis.CHAIN), claim(Basis.DIFFERENCE)))

    assert [one.basis for one in found.failing] == [Basis.CHAIN]
    assert Explanation().failing == ()
    assert Explanation().unexplained == UnexplainedClaim()


def test_only_something_fatal_makes_a_run_invalid() -> None:
    notice = Notice(NoticeKind.LOST, 3)

    assert ValidityClaim((), (notice,)).valid
    assert not ValidityClaim((notice,), ()).valid
