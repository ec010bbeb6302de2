"""How long all causes of ten million handshakes take, from the cube of a run file.

A hundred thousand distinct cells in eleven dimensions, which is what ten million handshakes of a
mixed run leave behind:

    python benchmarks/causes.py
"""

from __future__ import annotations

import time

import numpy as np

from stress.analysis.asking import NANOSECONDS
from stress.analysis.causes import explain
from stress.analysis.recording import read
from stress.analysis.tally import count
from stress.model.client import Client
from stress.model.outcome import Stage
from stress.model.plan import Plan
from stress.model.run import Cell, Cube, End, RunFacts
from stress.model.target import Address, Target


def main(rows: int = 10_000_000, seed: int = 6) -> None:
    cells = _cells(np.random.default_rng(seed), 100_000, rows)
    addresses = tuple(Address(f"10.0.0.{number}", 443) for number in range(16))
    clients = tuple(Client(f"client-{number}") for number in range(4))
    plan = Plan(Target("lab.test"), addresses, clients, sources=("10.1.0.1", "10.1.0.2"))
    begun, clock = time.process_time(), time.perf_counter()
    recording = read(_facts(plan), Cube(NANOSECONDS, cells), (), addresses)
    causes = explain(recording, count(cells)).causes
    print(
        f"{len(cells):,} cells of {rows:,} attempts  {len(causes)} cause(s)  "
        f"{time.process_time() - begun:.2f} s CPU, {time.perf_counter() - clock:.2f} s"
    )


def _cells(random: np.random.Generator, size: int, rows: int) -> tuple[Cell, ...]:
    """Distinct cells in eleven dimensions; one address resets TLS 1.2 now and then."""
    names = ("block", "address", "source", "client", "resumed", "segment")
    drawn = [random.integers(0, n, size).tolist() for n in (1000, 16, 2, 4, 2, 5)]
    late = [
        random.choice(values, size).tolist()
        for values in ((0x0303, 0x0304), (0x1301, 0x1302, 0xC02B, 0xC02F), (29, 23, 4588))
    ]
    counts = random.multinomial(rows, np.full(size, 1.0 / size)).tolist()
    found = []
    for *row, number in zip(*drawn, *late, counts, strict=True):
        version, cipher, group = row[len(names) :]
        fields = dict(zip(names, row, strict=False))
        bad = 0.05 if fields["address"] == 5 and version == 0x0303 else 1e-5
        failed = int(random.binomial(number, bad))
        for outcome, many in (("ok", number - failed), ("reset", failed)):
            if many:
                found.append(
                    Cell(
                        **fields,
                        chain=None,
                        tls_version=version,
                        cipher=cipher,
                        key_group=group,
                        alpn=("h2", "http/1.1")[number % 2],
                        stage=int(Stage.FINISHED),
                        outcome=outcome,
                        count=many,
                    )
                )
    return tuple(found)


def _facts(plan: Plan) -> RunFacts:
    begun = 1_790_000_000 * NANOSECONDS
    return RunFacts(
        name="simulated",
        file="simulated.db",
        plan=plan,
        started_ns=begun,
        ended_ns=begun + 1000 * NANOSECONDS,
        end=End.COMPLETED,
        started=0,
        recorded=0,
        versions={},
        reasons=(),
        invalid=False,
        lag_p99_ns=None,
    )


if __name__ == "__main__":
    main()
