from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--share", "0.1%"], "4,603 handshakes"),
        (["--share", "0.1%", "--rate", "500"], "(9 s)"),
        (["--share", "0.1%", "--confidence", "95%"], "2,995 handshakes"),
        (["--share", "0.1%", "--relative", "20%"], "failures measure a failure rate"),
        (["--rule-out", "0.01%"], "36,887 handshakes"),
        (["--backends", "12"], "each of 12 equal backends"),
    ],
)
def test_a_question_gets_its_number_and_a_line_to_run(
    words: list[str], told: str, ask: Any
) -> None:
    answer = ask("plan", *words)

    assert answer.code == 0
    assert told in answer.out
    assert "    tls-stress run TARGET -n " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


def test_several_questions_are_answered_in_turn(ask: Any) -> None:
    answer = ask("plan", "--share", "0.1%", "--rule-out", "0.1%", "--backends", "8")

    assert answer.out.count("tls-stress run TARGET") == 3


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--share", "0"],
        ["--share", "much"],
        ["--share", "200%"],
        ["--relative", "20%"],
        ["--share", "1%", "--relative", "0"],
        ["--rule-out", "0"],
        ["--backends", "0"],
        ["--share", "1%", "--confidence", "100%"],
        ["--share", "1%", "--rate", "fast"],
    ],
)
def test_questions_without_an_answer_are_explained(words: list[str], ask: Any) -> None:
    answer = ask("plan", *words)

    assert answer.code == 2
    assert answer.out == ""
    assert "\n\n" in answer.err
    assert "Traceback" not in answer.err
