from stress.planning import Request
from stress.report.forms import FORM_BY_NAME, FORMS


def test_every_form_has_an_option_and_a_key_in_profiles() -> None:
    keys = Request.__dataclass_fields__.keys()

    assert [form.option for form in FORMS] == ["--html", "--junit", "--openmetrics", "--markdown"]
    assert {form.name for form in FORMS} <= keys
    assert list(FORM_BY_NAME.values()) == list(FORMS)
