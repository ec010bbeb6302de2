from collections.abc import Callable

from stress.analysis.causes.classes import FAILURE, Diagnosis
from stress.analysis.summary import summarize
from stress.model.run import Run


def test_inconsistencies_are_no_causes_of_failures(leaf_alone: Run) -> None:
    causes = summarize(leaf_alone).causes

    assert [one.kind for one in Diagnosis(causes).failing] == [FAILURE]
    assert Diagnosis().failing == ()


def test_nothing_is_explained_by_nothing(located: Callable[..., Run]) -> None:
    assert Diagnosis().unexplained == 0
