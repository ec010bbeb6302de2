from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stress.codes.explain import LONGEST, SMALL, condense

FILLER = "".join(f"nothing of note, item {chr(97 + n % 26) * (n // 26 + 1)}\n" for n in range(4000))
"""Lines that nothing can be known of, all different: more than a small log."""


def test_a_line_that_repeats_is_kept_once_and_counted() -> None:
    log = condense(["".join(f"10:00:{n:02d} worker {n}: connection reset\n" for n in range(60))])

    assert log.text == "10:00:00 worker 0: connection reset\n"
    assert (log.numbers, log.repeats, log.lines) == ((1,), (60,), 60)


def test_lines_that_differ_in_a_code_are_all_kept() -> None:
    lines = [f"{n}: SSL alert number {40 + n % 3}, port {n}" for n in range(300)]
    lines += [f"error:0A0004{n % 2:02d}:SSL" for n in range(10)]
    lines += [f"HTTP load failed [3:-98{n % 4:02d}]" for n in range(40)]

    assert len(condense(["\n".join(lines)]).numbers) == 3 + 2 + 4


def test_of_a_large_log_only_lines_that_may_say_something_are_kept() -> None:
    log = condense([FILLER + "\n\nEvent ID 36874\n", FILLER + "at last: AH02039\n"])

    assert len(FILLER) > SMALL
    assert log.text == "Event ID 36874\nat last: AH02039\n"
    assert log.numbers == (4003, 8004)
    assert log.silent == (1, FILLER.splitlines()[0])
    assert (log.lines, log.cut) == (8002, False)


def test_a_small_log_is_kept_whole() -> None:
    assert condense(["nothing of note\n\nat all"]).text == "nothing of note\nat all\n"


def test_what_is_kept_is_bounded_and_its_end_counts() -> None:
    log = condense(f"error {chr(97 + n % 26)}{'x' * n * 5}\n" for n in range(1200))

    assert log.cut
    assert len(log.text) <= LONGEST
    assert log.text.endswith("x\n")
    assert log.numbers[-1] == 1200


@given(st.lists(st.text(alphabet="ab1 -\t", max_size=12), max_size=20))
def test_every_line_is_counted(lines: list[str]) -> None:
    log = condense(["".join(f"{line}\n" for line in lines)])

    assert log.lines == sum(bool(line.strip()) for line in lines)
    assert sum(log.repeats) == log.lines


@given(st.text(max_size=60))
def test_letters_whose_folding_changes_their_length_move_nothing(text: str) -> None:
    line = text.replace("\n", "") + "\u0130 SSL"

    assert condense([FILLER, f"{line}\n" + FILLER]).text == f"{line.rstrip()}\n"
