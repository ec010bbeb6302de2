"""Which rows failed, in the words of `--failed`."""

from __future__ import annotations

import pytest

from stress.errors import UsageError
from stress.records.expression import parse_failed

COLUMNS = ["error", "status", "logged in", "a=b", "ok", "is new"]


@pytest.mark.parametrize(
    ("text", "failed", "good", "nothing"),
    [
        ("error = timeout", ["timeout"], ["x", None], []),
        ("error == timeout", ["timeout"], ["x"], []),
        ("error=timeout", ["timeout"], ["x"], []),
        ("error is timeout", ["timeout"], ["x", None], []),
        ("error != none", ["x"], ["none"], [None]),
        ("error <> none", ["x"], ["none"], [None]),
        ("error is not none", ["x"], ["none"], [None]),
        ("error !=", ["x"], [None], []),
        ("error != empty", ["x"], [None], []),
        ("error is not empty", ["x"], [None], []),
        ("error is not null", ["x"], [None], []),
        ("error = ''", [None], ["x"], []),
        ('error = "empty"', ["empty"], ["x", None], []),
        ("status >= 500", ["500", "503.5", "5e2"], ["499"], ["x", None, "nan"]),
        ("status > 500", ["501"], ["500"], []),
        ("status < 200", ["0"], ["200"], []),
        ("status ≤ 200", ["200"], ["201"], []),
        ("status = 200", ["200", "200.0"], ["201"], []),
        ("status in 500,502", ["500", "502"], ["200", None], []),
        ("status in (500, '502')", ["500", "502"], ["501"], []),
        ("status not in 200, 204", ["500"], ["200", "204"], [None]),
        ('error in "a, b", c', ["a, b", "c"], ["a", "b"], []),
        ("ok = false", ["false", "False", "FALSE"], ["true"], []),
        ("logged in = 0", ["0"], ["1"], []),
        ("logged in in 0, 2", ["0", "2"], ["1"], []),
        ("is new is true", ["True"], ["false"], []),
        ('"a=b" = 1', ["1"], ["2"], []),
        ("a=b=1", ["1"], ["2"], []),
        ("error = -9807", ["-9807"], ["9807"], []),
    ],
)
def test_expressions(
    text: str, failed: list[str | None], good: list[str | None], nothing: list[str | None]
) -> None:
    says = parse_failed(text, COLUMNS)

    assert [says(value) for value in failed] == [True] * len(failed)
    assert [says(value) for value in good] == [False] * len(good)
    assert [says(value) for value in nothing] == [None] * len(nothing)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("error", "no operator", "COLUMN = VALUE"),
        ("eror = x", 'no column "eror"', 'Did you mean "error"?'),
        ("nonsense = x", 'no column "nonsense"', "The columns are: error, status"),
        ("status > high", "`>` needs a number, not high", "COLUMN = VALUE"),
        ("status >", "no value after `>`", "COLUMN = VALUE"),
        ("status in", "no value after `in`", "COLUMN = VALUE"),
        ("= x", "no operator", "COLUMN = VALUE"),
        ("\x1b[31m = x", r'no column "\x1b[31m"', "The columns are"),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_column(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_failed(text, COLUMNS)

    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_table_of_many_columns_does_not_fill_the_screen() -> None:
    with pytest.raises(UsageError) as caught:
        parse_failed("x = 1", [f"column{n}" for n in range(5_000)])

    assert "and 4,950 more" in (caught.value.hint or "")
    assert len(caught.value.hint or "") < 1_000
