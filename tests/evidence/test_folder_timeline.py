from __future__ import annotations

from dataclasses import replace

from stress.evidence.folder import COLUMN, timeline
from stress.model.plan import Stack
from stress.model.transcript import Parting
from tests.evidence.conftest import BEGUN_NS, Shake, transcript
from tests.stacks import main_stack


def test_a_failing_connection_stands_beside_its_control(shake: Shake) -> None:
    failing = shake(main_stack(), 0x0304, "alone")
    control = shake(main_stack(), 0x0304, "whole")

    lines = timeline(failing, control).splitlines()

    assert lines[0].split("  ")[0] == "FAILING"
    assert [line for line in lines if line.count("Certificate, ") == 2]
    assert [line for line in lines if line.count("µs  → sent") == 2]
    assert lines[1] == f"{'attempt 7: incomplete-chain':<{COLUMN}}  attempt 7: ok"
    assert "+200.0 µs  ← read" in timeline(failing, None)


def test_times_are_microseconds_from_connect_with_who_read_them(shake: Shake) -> None:
    text = timeline(shake(Stack.OPENSSL, 0x0303), None)

    assert "+50.0 µs  connected" in text
    assert "+100.0 µs  → sent" in text
    assert "(kernel)" in text
    assert "we sent FIN" in text
    assert "2026-" in text
    assert "none was recorded" in text


def test_a_connection_that_never_was_says_so() -> None:
    text = timeline(transcript("refused", connect_ns=None, stage=1), None)

    assert "+900.0 µs  never connected" in text
    assert "nothing was negotiated" in text
    assert "no chain" in text


def test_what_the_library_said_is_shown_and_does_nothing() -> None:
    text = timeline(transcript(detail="\x1b[31mBAD_SIGNATURE", alpn="h2\n", stage=99), None)

    assert "\x1b" not in text
    assert r"\x1b[31mBAD_SIGNATURE" in text
    assert "stage 99" in text


def test_the_end_says_who_did_it_and_that_more_was_read() -> None:
    partings = (
        Parting(sent=False, at_ns=BEGUN_NS + 5_000, reset=True),
        Parting(sent=True, at_ns=BEGUN_NS + 6_000, reset=True),
    )

    text = timeline(replace(transcript(), partings=partings, cut=True), None)

    assert "+5.0 µs  the server sent RST" in text
    assert "+6.0 µs  we sent RST" in text
    assert "more was read than was kept" in text
