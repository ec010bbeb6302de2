import pytest

from stress.analysis.wording.advice import got
from stress.model.outcome import Category, Kind


@pytest.mark.parametrize(
    "category",
    [one for one in Category if one.kind in {Kind.TRUST, Kind.WIRE} and one is not Category.ALERT],
)
def test_every_failure_of_the_target_has_words_of_its_own(category: Category) -> None:
    assert "ended as" not in got(category.value)


def test_an_alert_has_its_number() -> None:
    assert got("alert-40") == "were refused with alert 40"
    assert got("local-ports") == "ended as local-ports"
