from collections.abc import Callable
from zlib import crc32

import numpy as np
import pytest

from stress.analysis.causes.ports import port_structure
from stress.model.run import PortCount

KEY = 0x6D5A56DA255B0EC2


def toeplitz(port: int) -> int:
    """Three bits of a Toeplitz hash: each the parity of the port under a window of the key."""
    bits = [(port & (KEY >> shift & 0xFFFF)).bit_count() % 2 for shift in (11, 23, 31)]
    return bits[0] * 4 + bits[1] * 2 + bits[2]


def oracle(port: int) -> int:
    """A hash without structure."""
    return int(np.random.default_rng(port).integers(8))


def counts(
    bucket: Callable[[int], int], inside: float, times: int = 1, step: int = 1, seed: int = 71
) -> list[PortCount]:
    random = np.random.default_rng(seed)
    ports = range(33_000, 34_600, step)
    return [
        PortCount(port, times, int(random.binomial(times, inside if bucket(port) == 3 else 0.0)))
        for port in ports
    ]


@pytest.mark.parametrize("inside", [1.0, 0.4])
def test_a_linear_hash_is_found_by_its_parities(inside: float) -> None:
    found = port_structure(counts(toeplitz, inside))

    assert found is not None
    assert found.text.endswith("(a linear hash of the port)")
    assert not found.repeats
    assert "parity(port & 0x" in found.text
    assert found.failures >= 60


def test_a_remainder_is_named() -> None:
    found = port_structure(counts(lambda port: port % 12, 0.9))

    assert found is not None
    assert found.text == "port mod 12 = 3"
    assert found.attempts == pytest.approx(1600 / 12, abs=1)


def test_even_ports_only_are_no_structure() -> None:
    random = np.random.default_rng(72)
    even = [PortCount(port, 1, int(random.random() < 0.05)) for port in range(33_000, 36_000, 2)]

    assert port_structure(even) is None


def test_a_hash_without_structure_shows_in_repeats() -> None:
    found = port_structure(counts(oracle, 0.9, times=4))

    assert found is not None
    assert found.repeats


@pytest.mark.slow
def test_chance_has_no_structure() -> None:
    found = 0
    for seed in range(40):
        random = np.random.default_rng([73, seed])
        rows = [PortCount(p, 2, int(random.binomial(2, 0.03))) for p in range(33_000, 35_000)]
        found += port_structure(rows) is not None

    assert found <= 2


def test_without_failures_there_is_nothing_to_explain() -> None:
    assert port_structure([]) is None
    assert port_structure([PortCount(40_000, 0, 0)]) is None
    assert port_structure([PortCount(40_000, 5, 0)]) is None
    assert port_structure([PortCount(40_000, 5, 5)]) is None


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_a_contiguous_range_is_told_by_its_ends(rate: float) -> None:
    random = np.random.default_rng(61)
    used = random.choice(np.arange(32768, 60999), size=6_000, replace=False).tolist()
    bad = {port for port in used if 40_000 <= port < 42_000 and random.random() < rate}
    found = port_structure([PortCount(port, 1, int(port in bad)) for port in sorted(used)])

    assert found is not None
    assert found.span == (min(bad), max(bad))
    assert found.failures == len(bad)


def test_failures_that_follow_no_port_are_in_no_range() -> None:
    random = np.random.default_rng(62)
    counts = [PortCount(port, 1, int(random.random() < 0.05)) for port in range(33_000, 39_000)]

    assert port_structure(counts) is None


def crc(port: int) -> int:
    return crc32(port.to_bytes(2, "big")) % 8


SEVERAL: list[tuple[Callable[[int], bool], str]] = [
    (lambda port: port // 2 % 4 in {1, 2}, "(port // 2) mod 4 = 1 or 2"),
    (lambda port: port // 2 % 4 == 3, "(port // 2) mod 4 = 3"),
    (lambda port: port % 8 in {2, 5, 7}, "port mod 8 = 2, 5 or 7"),
    (lambda port: port % 12 in {4, 9}, "port mod 12 = 4 or 9"),
    (lambda port: port // 256 % 4 == 2, "(port // 256) mod 4 = 2"),
    (lambda port: crc(port) in {3, 5}, "a linear hash of the port"),
    (lambda port: crc(port) in {3, 5, 6}, "a linear hash of the port"),
]


@pytest.mark.parametrize(("rate", "others"), [(1.0, 0.0), (0.3, 0.003)])
@pytest.mark.parametrize(("bad", "text"), SEVERAL)
def test_several_buckets_of_one_hash_are_one_structure(
    bad: Callable[[int], bool], text: str, rate: float, others: float
) -> None:
    random = np.random.default_rng(63)
    used = np.sort(random.choice(np.arange(32_768, 60_999), size=6_000, replace=False)).tolist()
    rows = [
        PortCount(port, 1, int(random.random() < (rate if bad(port) else others))) for port in used
    ]
    found = port_structure(rows)

    assert found is not None
    assert text in found.text
    assert found.attempts == sum(map(bad, used))
    assert found.failures == sum(row.failures for row in rows if bad(row.port))
