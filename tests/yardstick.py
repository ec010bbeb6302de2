"""How slow this machine is now, so that a bound of CPU time is one of work and not of the machine.

A processor that two tests share, or an older one, needs up to twice the CPU time for the same
work. A bound in a test therefore stands for the machine on which it was set, and is stretched by
a fixed piece of work timed there and here, a moment ago.
Speed itself is measured in `benchmarks`; a bound here only catches work that has exploded.
"""

from time import process_time

REFERENCE_S = 0.030
"""CPU time of `_work` on the machine where the bounds were set: two cores, Python 3.11."""


def stretched(bound_s: float) -> float:
    """Return a bound of CPU time, in seconds, as this machine needs it now; never a shorter one."""
    times_s = sorted(_timed_s() for _ in range(5))
    return bound_s * max(1.0, times_s[2] / REFERENCE_S)


def _timed_s() -> float:
    begun = process_time()
    _work()
    return process_time() - begun


def _work() -> dict[int, int]:
    table: dict[int, int] = {}
    for number in range(200_000):
        table[number % 997] = table.get(number % 997, 0) + len(str(number))
    return table
