from collections.abc import Callable

import pytest

from stress.analysis.causes.changes import Instant, TimeShape
from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.isolation import SliceCondition, isolate
from stress.analysis.causes.ports import PortFinding, Structure
from stress.analysis.dimensions import Dimension
from stress.analysis.recording import record
from stress.analysis.wording.cohorts import (
    course_words,
    locus_sentence,
    no_finding,
    place,
    port_sentence,
)
from stress.model.run import Run


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        (
            [(Dimension.ADDRESS, "10.0.3.7:443"), (Dimension.TLS_VERSION, "TLS 1.2")],
            "at 10.0.3.7:443 with TLS 1.2",
        ),
        ([(Dimension.FAMILY, "ipv6")], "over IPv6"),
        ([(Dimension.SNI, "none")], "without SNI"),
        ([(Dimension.SNI, "lab.test")], "with SNI lab.test"),
        ([(Dimension.RESUMED, "yes")], "when a session is resumed"),
        ([(Dimension.TIME, "10:31:07\u201310:31:17")], "between 10:31:07 and 10:31:17"),
        ([(Dimension.TIME, "from 10:31:07")], "from 10:31:07 on"),
        ([(Dimension.STAGE, "x")], "stage = x"),
    ],
)
def test_conditions_are_said_plainly(conditions: list[tuple[Dimension, str]], text: str) -> None:
    assert place([SliceCondition(*one) for one in conditions]) == text


def sentence(run: Run) -> str:
    recording = record(run)
    (failing,) = failure_classes(recording.table)
    isolation = isolate(recording, failing)
    return locus_sentence(recording, isolation, isolation.slices[0])


def test_a_place_is_told_with_here_and_elsewhere(located: Callable[..., Run]) -> None:
    text = sentence(located(lambda like: 5 if like.address == 1 else 0))

    assert text == (
        "All 800 are at 10.0.3.7:443: 800 of 4,000 (20%) there, 0 of 12,000 (0%) elsewhere."
    )


def test_a_part_is_told_as_a_part(located: Callable[..., Run]) -> None:
    text = sentence(
        located(lambda like: 5 if like.address == 1 else int(like.block == 3 and like.client == 0))
    )

    assert text.startswith("800 of the 806 are at 10.0.3.7:443: 800 of 4,000")


def test_a_change_in_time_is_told(located: Callable[..., Run]) -> None:
    recording = record(located(lambda like: 0))

    def said(shape: TimeShape, changed: Instant | None, windows: int = 1) -> str:
        return course_words(recording, shape, changed, windows)

    assert said(TimeShape.BEGAN, Instant(9, 10, 13)) == "it began 14:13:30 ± 3.0 s"
    assert said(TimeShape.ENDED, Instant(10, 10, 10)) == "it ended 14:13:30 ± 1.0 s"
    assert said(TimeShape.BURSTS, None, 3) == "in 3 bursts"
    assert said(TimeShape.WINDOW, None) == "in one stretch of the run only"
    assert said(TimeShape.CONSTANT, None) == ""


def test_silence_says_what_would_have_been_seen() -> None:
    text = no_finding(41, 17_001, 17_001)

    assert "41 failures" in text
    assert "1/16 of the traffic" in text
    assert "would have shown at 5 failures" in text
    assert "19." in text
    assert "too few" in no_finding(2, 0, 0)
    assert no_finding(1, 0, 0).startswith("1 failure is")


def test_ports_are_told() -> None:
    found = PortFinding(Structure.REMAINDER, "port mod 8 = 3", 1000, 900, 1e-9)

    assert port_sentence(found, 900, 0, 8000) == (
        "All 900 are from local ports with port mod 8 = 3: 900 of 1,000 (90%) there, "
        "0 of 7,000 (0%) elsewhere."
    )
    again = PortFinding(Structure.REPEATS, "a number that fails again", 10, 9, 1e-9)
    assert "come back with the local port" in port_sentence(again, 9, 0, 100)
