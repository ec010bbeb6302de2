from collections.abc import Sequence

from stress.evidence.tls_decode import ConnectionEvent
from stress.model.plan import Address, Client, Plan, Target
from stress.model.record import Record
from stress.model.transcript import Clock, Flight, Parting, Transcript
from stress.report.page.page import MOST_EVENTS, timelines

BEGUN_NS = 1_795_392_000_000_000_000
ADDRESS = Address("192.0.2.1", 443)
PLAN = Plan(Target("good.test"), (ADDRESS,), (Client("generic"),))
HELLO = b"\x16\x03\x01\x00\x08\x01\x00\x00\x04aaaa"
ANSWER = b"\x16\x03\x03\x00\x08\x02\x00\x00\x04bbbb"
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"


def certificate(size: int) -> bytes:
    return b"\x16\x03\x03" + (4 + size).to_bytes(2) + b"\x0b" + size.to_bytes(3) + bytes(size)


def transcript(outcome: str, flights: Sequence[bytes], *, reached: bool = True) -> Transcript:
    """Flights in turn, ours first, a millisecond apart."""
    record = Record(
        7, BEGUN_NS, BEGUN_NS, 0, None, 40_001, 0, outcome, 2, None, None, None, None, None, None,
        500_000 if reached else None, None, None, 9_000_000, None, 0, 0, 0, None,
    )  # fmt: skip
    said = tuple(
        Flight(place % 2 == 0, BEGUN_NS + (place + 1) * 1_000_000, Clock.KERNEL, data)
        for place, data in enumerate(flights)
    )
    partings = (Parting(sent=False, at_ns=BEGUN_NS + 9_000_000, reset=True),) if reached else ()
    return Transcript(record, ADDRESS, "192.0.2.99", BEGUN_NS, said, partings)


def marked(moments: Sequence[ConnectionEvent | None]) -> list[str]:
    return [line for each in moments if each for line in each.lines if line in each.odd]


def test_a_failure_stands_beside_its_control_and_the_difference_is_marked() -> None:
    failing = transcript("alert-40", [HELLO, ALERT])
    good = transcript("ok", [HELLO, ANSWER + certificate(300)])
    (found,) = timelines([good, failing], [], PLAN)
    left, right = zip(*found.rows, strict=True)

    assert found.title == "alert-40"
    assert found.failing == "attempt 7 to 192.0.2.1:443: alert-40, reached client-hello"
    assert [each.title for each in left if each] == [
        "connected",
        "→ sent 13 bytes (kernel)",
        "← read 7 bytes (kernel)",
        "the server sent RST",
    ]
    assert [each.since_us for each in left if each] == [500.0, 1000.0, 2000.0, 9000.0]
    assert marked(left) == ["Alert 40 handshake_failure (fatal)"]
    assert marked(right) == ["ServerHello, 8 bytes", "Certificate, 304 bytes"]


def test_of_certificates_also_the_size_is_compared() -> None:
    failing = transcript("incomplete-chain", [HELLO, ANSWER + certificate(100)])
    good = transcript("ok", [HELLO, ANSWER + certificate(300)])
    (found,) = timelines([failing, good], [], PLAN)

    assert marked([row[0] for row in found.rows]) == ["Certificate, 104 bytes"]


def test_without_a_control_nothing_is_marked() -> None:
    (found,) = timelines([transcript("alert-40", [HELLO, ALERT])], [], PLAN)

    assert found.control is None
    assert marked([row[0] for row in found.rows]) == []


def test_what_never_connected_has_one_moment() -> None:
    (found,) = timelines([transcript("refused", [], reached=False)], [], PLAN)

    assert [row[0] for row in found.rows] == [ConnectionEvent(9000.0, "never connected")]


def test_a_long_conversation_is_cut_and_counted() -> None:
    (found,) = timelines([transcript("reset", [HELLO] * 100)], [], PLAN)

    assert len(found.rows) == MOST_EVENTS
    assert found.left_out == 102 - MOST_EVENTS


def test_where_nothing_was_kept_there_is_no_timeline() -> None:
    assert timelines([], [], PLAN) == ()
    assert timelines([transcript("ok", [HELLO])], [], PLAN) == ()
