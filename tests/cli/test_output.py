import pytest

from stress.cli.output import EXIT_CODES, Output
from stress.errors import ExitCode
from stress.model.summary import Answer
from stress.planning.request import Request
from stress.report.document import DocumentReport
from stress.report.terminal import TerminalReport


@pytest.mark.parametrize(
    ("json", "quiet", "form"),
    [
        (False, False, TerminalReport),
        (True, False, DocumentReport),
        (True, True, DocumentReport),
        (False, True, type(None)),
    ],
)
def test_the_words_choose_the_form(json: bool, quiet: bool, form: type) -> None:
    output = Output.of(Request(json=json, quiet=quiet))

    assert isinstance(output.report, form)
    assert output.files.paths == {}


def test_every_verdict_has_its_exit_code() -> None:
    assert {answer: ExitCode[answer.name] for answer in Answer} == EXIT_CODES
