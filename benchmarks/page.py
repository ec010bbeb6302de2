"""The figures as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.flight import TO_NGINX, Answer
from benchmarks.handshakes import Figure
from benchmarks.missed import Missed
from benchmarks.truth import Seen
from benchmarks.truth import rows as stall_rows

MISSED = "**missed**"
WITHIN = "0.8-1.2"
"""How near a measured time has to be to the true one, which is 1."""
OURS = "tls-stress"
ALIKE = "tls-stress --client no-mlkem"
"""Without the post-quantum key share that the default makes and the other tools do not."""
SHAPED = "tls-stress --client ios-urlsession"
"""A hello whose every list is another's, and without that share, too."""
PROMISED = (
    (OURS, "ab", "0.61", "0.57"),
    (OURS, "hey", "1.04", "0.97"),
    (ALIKE, "ab", "0.54", "0.50"),
    (ALIKE, "hey", "0.92", "0.85"),
    (SHAPED, OURS, "1.15", "1.15"),
)

_HEAD = """\
# Benchmarks

Made by `make bench`, which rewrites this page. Every figure is a median from one run on one
machine; other machines give other figures, so compare the ratios.
"""

_CPU = """\
## Processor time per full handshake

All clients in turn in each of {rounds} rounds, about {count:,} full handshakes a round,
{concurrency} at a time, against the same nginx (ECDSA P-256 leaf and one intermediate, TLS 1.3,
one worker, loopback).
Processor time is user and system time of the client and all its children; wall time would include
whatever else runs on the machine. "All in" includes start-up, the run file and the report; "each"
is the cost of one more handshake (all in, minus a run of one handshake). `ab`, `hey`, `wrk` and
`h2load` also send one small request on each connection and verify nothing; `s_time` opens one at a
time. The server gives no tickets and keeps no sessions, so nobody resumes. Meanwhile
`tls-stress` records every chain, outcome and latency in its run file. Its default ClientHello is
BoringSSL's own, with a post-quantum key share (X25519MLKEM768) that this nginx does not support
and the other tools do not send. `no-mlkem` is the same ClientHello without it, which makes it
comparable with the others; `ios-urlsession` is a phone's, also without it.
"""

_LEVELS = """\
## Processor time by handshakes in flight

What one more handshake costs one process of `tls-stress`, by how many are in flight at once. With
one at a time each event is waited for by itself; from 100 on the level should make no difference.
"""

_FLIGHT = """\
## The target's own time, whatever else is in flight

Half of the attempts go to a server that never answers, so many handshakes are in flight while
nginx has little to do. It gets {rate} handshakes a second at every level and a core of its own, as
on a separate machine, that is kept awake: one that sleeps between handshakes is slower where it has
to sleep longer. Its measured time (`server_ns`) should not depend on the other handshakes. "By the
packets" is what it took by the kernel's time stamps of the packets of the same handshakes, from the
ClientHello to the end of the answer, which needs nothing of ours: so much is the truth.
"""

_STALLS = """\
## A server that stalls

The same nginx, stopped for one second in every ten. Users who arrive at random wait half a second
on average, one in ten of them: the true 99th percentile is about 0.9 s. A tool that waits with the
server sends little meanwhile, and reports a fast server.
"""

_REST = """\
## Memory, disk, processes

The throughput of several processes is computed from the processor time of one handshake, with one
process and with several: where the server needs the same cores, their rates would measure the
server. All workers send their rows to one writer, whose cost limits them all.
"""


@dataclass(frozen=True, slots=True)
class Rest:
    """The other figures, where they were measured."""

    memory_kib: float
    memory_in_flight: int
    row_bytes: float
    writer_us: float
    """Processor time of the one writer for each row."""
    scaling: tuple[int, float]
    """Processes, and how many times as much they do as one, with a core for each."""
    levels: Sequence[tuple[int, float]]
    """Handshakes in flight, and microseconds of one more."""
    slow_signer_us: float
    """One more handshake with a server that signs with RSA-4096."""


def page(
    machine: Sequence[tuple[str, str]],
    handshakes: tuple[Sequence[Figure], int, int, str],
    answers: Sequence[Answer],
    rest: Rest,
    seen: Sequence[Seen] = (),
) -> str:
    """The whole page. `handshakes`: the figures, the rounds, the concurrency, where it goes."""
    figures, rounds, concurrency, split = handshakes
    ours = _find(figures, OURS)
    count = max(figure.handshakes for figure in figures)
    cpu = _CPU.format(rounds=rounds, count=count, concurrency=concurrency)
    parts = [
        _HEAD,
        table(("on", ""), machine),
        cpu,
        table(("client", "all in", "each", "each, tls-stress = 1"), _cpu_rows(figures)),
        _gates(figures),
        split,
        _LEVELS,
        table(("in flight", "each", "against 100", "target", ""), _level_rows(rest.levels)),
        _FLIGHT.format(rate=TO_NGINX),
        table(
            (
                *("in flight", "median `server_ns`", "by the packets", "target"),
                *("against 1 in flight", "target", "median lag", "samples"),
            ),
            _flight_rows(answers),
        ),
        _STALLS,
        table(("tool", "load", "p50", "p99"), stall_rows(seen)),
        _REST,
        table(("what", "measured", "target", ""), _rest_rows(rest, ours)),
    ]
    return "\n".join(parts)


def missing(figures: Sequence[Figure], answers: Sequence[Answer], rest: Rest) -> list[Missed]:
    """What of this page did not reach its target; each ratio's own target, not its gate."""
    ours, alone = _find(figures, OURS), answers[0].server_us
    found = [
        Missed(f"{name} / {other}", measured, target, "client")
        for name, other, _, target in PROMISED
        if _reached(measured := _ratio(figures, name, other), target) == MISSED
    ]
    found += [
        Missed(f"each with {row[0]} in flight, against 100", row[2], row[3], "in flight")
        for row in _level_rows(rest.levels)
        if row[-1] == MISSED
    ]
    found += [
        Missed(f"server_ns with {one.in_flight:,} in flight, {than}", ratio, WITHIN, "server_ns")
        for one in answers
        for than, ratio in zip(("by the packets", "against 1"), _truths(one, alone), strict=True)
        if _within(ratio) == MISSED
    ]
    whys = {"one more handshake with": "slow signer", "processes do": "processes"}
    return found + [
        Missed(row[0], row[1], row[2], next((w for k, w in whys.items() if k in row[0]), ""))
        for row in _rest_rows(rest, ours)
        if row[-1] == MISSED
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cpu_rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    ours = _find(figures, OURS)
    rows: list[tuple[str, ...]] = []
    for figure in sorted(figures, key=lambda figure: figure.marginal_us):
        ratio = f"{figure.marginal_us / ours.marginal_us:.2f}" if ours else "-"
        rows.append(
            (
                f"`{figure.client}`",
                f"{figure.all_in_us:.0f} µs",
                f"{figure.marginal_us:.0f} µs",
                ratio,
            )
        )
    return rows


def _gates(figures: Sequence[Figure]) -> str:
    """The ratios that were promised, beside what was reached."""
    rows = [
        (f"`{one}` / `{other}`", _ratio(figures, one, other), gate, aim)
        for one, other, gate, aim in PROMISED
    ]
    judged = [
        (name, measured, f"{gate} {_reached(measured, gate)}", f"{aim} {_reached(measured, aim)}")
        for name, measured, gate, aim in rows
    ]
    return table(("ratio of each", "measured", "gate", "target"), judged)


def _ratio(figures: Sequence[Figure], one: str, other: str) -> str:
    above, below = _find(figures, one), _find(figures, other)
    return f"{above.marginal_us / below.marginal_us:.2f}" if above and below else "not measured"


def _find(figures: Sequence[Figure], name: str) -> Figure | None:
    return next((figure for figure in figures if figure.client == name), None)


def _level_rows(levels: Sequence[tuple[int, float]]) -> list[tuple[str, ...]]:
    base_us = dict(levels).get(100, levels[0][1])
    return [
        (
            f"{level:,}",
            f"{each:.0f} µs",
            f"{each / base_us:.2f}",
            "1.35" if level == 1 else "0.9-1.1",
            "reached"
            if each / base_us <= (1.35 if level == 1 else 1.1)
            and (level == 1 or each / base_us >= 0.9)
            else MISSED,
        )
        for level, each in levels
    ]


def _flight_rows(answers: Sequence[Answer]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for answer in answers:
        by_packets, against_1 = _truths(answer, answers[0].server_us)
        wire = "not measured" if answer.wire_us is None else f"{answer.wire_us:.0f} µs"
        rows.append(
            (
                f"{answer.in_flight:,}",
                f"{answer.server_us:.0f} µs",
                f"{wire}: {by_packets}",
                f"{WITHIN} {_within(by_packets)}",
                against_1,
                f"{WITHIN} {_within(against_1)}",
                f"{answer.lag_us:.0f} µs",
                f"{answer.samples:,}{' (this machine was the limit)' if answer.limited else ''}",
            )
        )
    return rows


def _truths(answer: Answer, alone_us: float) -> tuple[str, str]:
    """`server_ns` in multiples of what it took by the packets, and with one in flight."""
    by_packets = "-" if answer.wire_us is None else f"{answer.server_us / answer.wire_us:.2f}"
    return by_packets, f"{answer.server_us / alone_us:.2f}"


def _within(ratio: str) -> str:
    """Whether a printed ratio is true enough."""
    if not ratio[0].isdigit():
        return "not measured"
    return "reached" if 0.8 <= float(ratio) <= 1.2 else MISSED


def _rest_rows(rest: Rest, ours: Figure | None) -> list[tuple[str, ...]]:
    slow = rest.slow_signer_us / ours.marginal_us if ours else 0.0
    rows = [
        (
            f"memory per handshake in flight, at {rest.memory_in_flight:,}",
            f"{rest.memory_kib:.1f} KiB",
            "25 KiB",
        ),
        ("run file, each further handshake", f"{rest.row_bytes:.0f} bytes", "64 bytes"),
        ("the writer, each row of a million", f"{rest.writer_us:.1f} µs", "5 µs"),
        (
            f"{rest.scaling[0]} processes do the work of, with a core for each",
            f"{rest.scaling[1]:.2f}",
            f"{0.95 * rest.scaling[0]:.1f}",
        ),
        (
            "one more handshake with a server of 300 RSA-4096 signatures a second, against ECDSA",
            f"{slow:.2f}",
            "1.2",
        ),
    ]
    return [(*row, _reached(row[1], row[2], more="processes" in row[0])) for row in rows]


def _reached(measured: str, target: str, *, more: bool = False) -> str:
    """Whether the printed figure reaches its printed target: at most that, or at least."""
    if not measured[:1].isdigit():
        return "not measured"
    one, other = (float(text.split()[0]) for text in (measured, target))
    return "reached" if (one >= other if more else one <= other) else MISSED
