from importlib import import_module

import pytest

from stress.planning.request import options
from stress.report.forms import FORMS, ReportForm


def test_the_forms_are_the_options_that_name_a_class() -> None:
    assert [form.option for form in FORMS.values()] == [
        *("--html", "--junit", "--openmetrics", "--markdown"),
    ]
    assert all(options()[name].profile_key for name in FORMS)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_class_exists_and_renders(form: ReportForm) -> None:
    module, kind = form.path.split(".")

    assert callable(getattr(import_module(f"stress.report.{module}"), kind).render)
