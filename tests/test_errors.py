"""Our own errors carry what to say, what to do, and with which code to leave."""

from __future__ import annotations

import pytest

from stress.errors import ExitCode, LabError, RecordError, RunFileError, StressError, UsageError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StressError, 4),
        (UsageError, 2),
        (RunFileError, 2),
        (RecordError, 4),
        (LabError, 4),
    ],
)
def test_an_error_knows_its_exit_code(error: type[StressError], code: int) -> None:
    assert error("port 0 is not a port").exit_code == code


def test_an_error_keeps_its_message_and_its_hint_apart() -> None:
    error = UsageError("port 70000 is not between 1 and 65535", "Ports go up to 65535.")

    assert (error.message, error.hint) == (str(error), "Ports go up to 65535.")


def test_the_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "CLEAN": 0,
        "FAILING": 1,
        "USAGE": 2,
        "INCONCLUSIVE": 3,
        "INVALID": 4,
        "INTERRUPTED": 130,
    }
