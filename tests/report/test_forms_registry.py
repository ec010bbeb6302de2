from stress.planning.request import options
from stress.report.forms import FORM_BY_NAME, FORMS


def test_every_form_has_an_option_and_a_key_in_profiles() -> None:
    assert [form.option for form in FORMS] == ["--html", "--junit", "--openmetrics", "--markdown"]
    assert all(options()[form.name].profile_key for form in FORMS)
    assert list(FORM_BY_NAME.values()) == list(FORMS)
