"""What attempts share has one number, and is counted in one way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stress.model.record import Flag, Record
from stress.store.catalog import Groups, Treatment


@pytest.mark.parametrize(
    ("outcome", "flags", "treatment"),
    [
        ("ok", 0, Treatment.GOOD),
        ("ok", Flag.WARM_UP, Treatment.GOOD_WARMING),
        ("ok", Flag.USER_SPACE_STAMP | Flag.LOCAL_PRESSURE, Treatment.GOOD),
        ("incomplete-chain", 0, Treatment.FAILED),
        ("alert-40", 0, Treatment.FAILED),
        ("reset", Flag.WARM_UP, Treatment.FAILED_WARMING),
        ("local-ports", 0, Treatment.LEFT_OUT),
        ("cancelled", Flag.WARM_UP, Treatment.LEFT_OUT),
        ("not-sent", 0, Treatment.WAITED),
        ("not-sent", Flag.WARM_UP, Treatment.LEFT_OUT),
    ],
)
def test_the_side_and_the_warm_up_decide_how_it_is_counted(
    outcome: str, flags: int, treatment: Treatment
) -> None:
    assert Treatment.of(outcome, flags) is treatment


def test_an_outcome_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="sunshine"):
        Treatment.of("sunshine", 0)


def test_equal_attempts_share_a_number(make_record: Callable[..., Record]) -> None:
    groups = Groups()
    same = make_record(0), make_record(2, local_port=1, total_ns=9, bytes_received=1)
    other = make_record(4, alpn="h2")

    assert groups.number([*same, other]) == [0, 0, 1]
    assert groups.number([other, make_record(6)]) == [1, 0]
    assert groups.fresh == [(0, same[0]), (1, other)]
    assert groups.treatments == [Treatment.GOOD, Treatment.GOOD]


@pytest.mark.parametrize(
    "odd",
    [
        {"address": 1},
        {"source": 0},
        {"client": 1},
        {"outcome": "reset"},
        {"stage": 4},
        {"chain": None},
        {"tls_version": None},
        {"cipher": 0x1302},
        {"key_group": None},
        {"alpn": "h2"},
        {"resumed": None},
        {"hello_retry": True},
        {"segment": 1},
        {"flags": 1},
    ],
)
def test_any_attribute_tells_attempts_apart(
    make_record: Callable[..., Record], odd: dict[str, object]
) -> None:
    groups = Groups()

    assert groups.number([make_record(0), make_record(0, **odd)]) == [0, 1]
