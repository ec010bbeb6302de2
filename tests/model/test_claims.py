from stress.model.claims import (
    Basis,
    Claim,
    ClaimSet,
    Notice,
    NoticeKind,
    UnexplainedClaim,
    ValidityClaim,
)


def claim(basis: Basis) -> Claim:
    return Claim(basis, "reset", None, 1, "strong")


def test_inconsistencies_are_no_claims_about_failures() -> None:
    found = ClaimSet((claim(Basis.CHAIN), claim(Basis.DIFFERENCE)))

    assert [one.basis for one in found.failing] == [Basis.CHAIN]
    assert ClaimSet().failing == ()
    assert ClaimSet().unexplained == UnexplainedClaim()


def test_only_something_fatal_makes_a_run_invalid() -> None:
    notice = Notice(NoticeKind.LOST, 3)

    assert ValidityClaim((), (notice,)).valid
    assert not ValidityClaim((notice,), ()).valid
