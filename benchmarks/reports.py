"""What reading a run costs: `report`, its page, `compare` and `export`, by the number of rows.

Rows vary as those of a real run do: 64 addresses, 8 clients, 200 chains, three planted causes.
Plain rows have one address, two clients and one chain (`benchmarks.writing`).

    python -m benchmarks.reports [ROWS …]

rewrites its section of docs/benchmarks.md and the plot in it. Plain rows go up to 10,000,000; that
many varied ones are measured only when asked for, because it takes ten minutes to write them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.cost import run
from benchmarks.missed import Missed, profile
from benchmarks.writing import writer_us
from stress.clients.profiles import load_client
from stress.engine.messages import Batch
from stress.engine.recorder import Recorder
from stress.lab.site import Authority, LeafSpec, issue
from stress.model.chain import chain_hash
from stress.model.outcome import OK, Stage
from stress.model.plan import Address, Load, Plan, Target, Trust
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.store import RunWriter

DOCS = Path(__file__).resolve().parent.parent / "docs"
HEADING = "## Reports of many rows"
ROWS = (10_000, 100_000, 1_000_000)
PLAIN_ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
HOST = "bench.test"
CLIENTS = (
    *("generic", "ios-urlsession", "android-okhttp", "chrome"),
    *("firefox", "java-17", "go", "curl-openssl"),
)
ADDRESSES, CHAINS, GOOD = 64, 200, 192
A_SECOND = 2_000
_BATCH = 500
_SAMPLE_S = 0.05
MOST = {
    "bytes a row": 64.0,
    "report, s": 6.0,
    "report, MiB": 300.0,
    "with page, s": 9.0,
    "compare, s": 12.0,
    "compare, MiB": 400.0,
    "CSV, s": 6.0,
}
"""What a million varied rows may cost."""


MOST_PLAIN_S = 5.0
JUDGED = 1_000_000


def write_varied(rows: int, path: Path, seed: int) -> None:
    """A finished run of so many varied rows."""
    now = datetime.now(UTC)
    authority = Authority.make(now)
    issuer = authority.intermediate("Bench CA 1", now)
    leaves = [issue(issuer, LeafSpec((HOST,)), now) for _ in range(GOOD)]
    whole = [tuple(one.public_bytes(Encoding.DER) for one in leaf.full) for leaf in leaves]
    sent = [*whole, *(chain[:1] for chain in whole[: CHAINS - GOOD])]
    places = tuple(Address(f"192.0.2.{number + 1}", 443) for number in range(ADDRESSES))
    root = authority.certificate.public_bytes(Encoding.DER)
    begun = time_ns() - rows * 1_000_000_000 // A_SECOND
    plan = Plan(
        Target(HOST),
        places,
        tuple(map(load_client, CLIENTS)),
        Load(rows, rate=float(A_SECOND), processes=2),
        trust=Trust(host=HOST, anchors=(root,), anchors_from="bench.pem", private=True),
        server_name=HOST,
    )
    writer = RunWriter(path, plan, started_ns=begun, versions={}, host="bench")
    for index, place in enumerate(places):
        writer.add_address(index, place)
    recorder = Recorder(plan, writer)
    for number, batch in enumerate(_batches(rows, begun, [chain_hash(one) for one in sent], seed)):
        recorder.add(Batch(records=batch, chains=sent if number == 0 else []))
        if number % (A_SECOND // _BATCH) == 0:
            writer.commit((number + 1) * _BATCH)
    writer.finish(RunEnd(End.COMPLETED, begun + rows * 1_000_000_000 // A_SECOND, rows))
    writer.close()


def _batches(rows: int, begun_ns: int, sent: Sequence[bytes], seed: int) -> Iterator[list[Record]]:
    """Rows of clients and addresses in random order.

    Planted: a tenth of the connections to the first 8 addresses gets the leaf alone; `java-17` is
    refused at address 40; in a twentieth of the time a quarter of everything is reset.
    """
    random = np.random.default_rng(seed)
    for first in range(0, rows, _BATCH):
        count = min(_BATCH, rows - first)
        column: dict[str, list[Any]] = {
            "address": random.integers(0, ADDRESSES, count).tolist(),
            "client": random.integers(0, len(CLIENTS), count).tolist(),
            "port": random.integers(32_768, 61_000, count).tolist(),
            "third": random.integers(0, 3, count).tolist(),
            "chance": random.random(count).tolist(),
            "connect": random.lognormal(11, 0.5, count).astype(int).tolist(),
            "server": random.lognormal(14.5, 0.6, count).astype(int).tolist(),
            "lag": random.lognormal(10, 1, count).astype(int).tolist(),
        }
        outage = rows // 2 <= first < rows // 2 + rows // 20
        yield [
            _row(
                first + at,
                begun_ns,
                sent,
                {name: of[at] for name, of in column.items()},
                outage=outage,
            )
            for at in range(count)
        ]


def _row(number: int, begun_ns: int, sent: Sequence[bytes], of: Any, *, outage: bool) -> Record:
    due = begun_ns + number * 1_000_000_000 // A_SECOND
    address, client, server, lag = of["address"], of["client"], of["server"], of["lag"]
    handshake: int | None = server + lag
    alone = address < CHAINS - GOOD and of["chance"] < 0.1
    outcome, stage = OK.name, Stage.FINISHED
    if outage and of["chance"] > 0.75:
        outcome, stage = "reset", Stage.CLIENT_HELLO
    elif CLIENTS[client] == "java-17" and address == 40:
        outcome, stage = "alert-40", Stage.CLIENT_HELLO
    old = client in {1, 5}
    chain = sent[GOOD + address if alone else address * 3 + of["third"]]
    seen: tuple[Any, ...] = (chain, 0x0303, 0xC02B) if old else (chain, 0x0304, 0x1301)
    seen = (*seen, 29, "h2", False)
    if outcome != OK.name:
        seen, handshake = (None,) * 6, None
    total = of["connect"] + server + lag
    times = (of["connect"], server if handshake else None, handshake, total, lag)
    start = (number, due, due + lag // 2, address, None, of["port"], client)
    rest = (3_200 if handshake else 7, 0, 0, None)
    return Record(*(*start, outcome, stage, *seen, *times, *rest))


def verdict_of(measured: float, most: float) -> str:
    """Whether a target is reached."""
    return "reached" if measured <= most else "**missed**"


@dataclass(frozen=True, slots=True)
class Read:
    """What it costs to read a run of so many rows."""

    rows: int
    figures: dict[str, float]
    found: int
    """Of three planted causes."""
    missed: Sequence[Missed] = ()


def read(rows: int, folder: Path) -> Read:
    """Write two such runs, and measure every way to read them."""
    one, two = folder / "one.db", folder / "two.db"
    write_varied(rows, one, 1)
    write_varied(rows, two, 2)
    program = str(Path(sys.executable).with_name("tls-stress"))
    report = run([program, "report", str(one), "--json"], _SAMPLE_S)
    commands = {
        "with page, s": ["report", str(one), "-q", "--html", str(folder / "page.html")],
        "compare, s": ["compare", str(one), str(two)],
        "CSV, s": ["export", str(one), "--out", str(folder / "rows.csv")],
    }
    page = run([program, *commands["with page, s"]])
    compare = run([program, *commands["compare, s"]], _SAMPLE_S)
    export = run([program, *commands["CSV, s"]])
    planted = ('"incomplete-chain"', '"alert-40"', '"reset"')
    causes = report.output.partition('"causes"')[2].partition('"unexplained"')[0]
    figures = {
        "bytes a row": one.stat().st_size / rows,
        "report, s": report.cpu_s,
        "report, MiB": report.peak_rss_kib / 1024,
        "with page, s": page.cpu_s,
        "compare, s": compare.cpu_s,
        "compare, MiB": compare.peak_rss_kib / 1024,
        "CSV, s": export.cpu_s,
    }
    (folder / "rows.csv").unlink()
    commands |= {"report, s": ["report", str(one)]}
    missed = [
        Missed(
            f"{name} of {rows:,} rows",
            *(f"{value:.1f}", f"{MOST[name]:g}", name.partition(",")[0]),
            profile(commands[name]) if name in commands else (),
        )
        for name, value in figures.items()
        if rows == JUDGED and value > MOST[name]
    ]
    for file in folder.iterdir():
        file.unlink()
    found = sum(f'"category": {one}' in causes for one in planted)
    return Read(rows, figures, found, missed)


def plain(rows: int, folder: Path) -> float:
    """Seconds of processor time that the report of so many plain rows takes."""
    writer_us(rows, folder)
    program = str(Path(sys.executable).with_name("tls-stress"))
    return run([program, "report", str(folder / "writing.db")]).cpu_s


def section(measured: Sequence[Read], plainly: Mapping[int, float]) -> str:
    """The section of the page."""
    heads = ["rows", *MOST, "causes found"]
    rows = [
        [f"{one.rows:,}", *(f"{value:,.1f}" for value in one.figures.values()), f"{one.found} of 3"]
        for one in measured
    ]
    rows.append(["*target at 1,000,000*", *(f"{most:g}" for most in MOST.values()), "3 of 3"])
    for one in (one for one in measured if one.rows == JUDGED):
        verdicts = (verdict_of(value, MOST[name]) for name, value in one.figures.items())
        rows.append(["", *verdicts, verdict_of(3 - one.found, 0)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])
    plain_table = "\n".join(
        f"| {rows:,} | {cpu_s:.1f} | {MOST_PLAIN_S:g} | {verdict_of(cpu_s, MOST_PLAIN_S)} |"
        for rows, cpu_s in plainly.items()
    )
    return f"""{HEADING}

Runs of rows that vary as those of a real run do: 64 addresses, 8 clients, 200 chains, three planted
causes. Processor time of everything from start-up to the end, and the most memory
(`python -m benchmarks.reports`).

{table}

The report of plain rows (one address, two clients, one chain):

| rows | report, s | *target* |  |
| --- | --- | --- | --- |
{plain_table}

![Cost against rows](benchmarks-reports.svg)
"""


def draw(measured: Sequence[Read], plainly: Mapping[int, float], file: Path) -> None:
    """Seconds against rows, both logarithmic: a straight line of slope 1 is linear growth."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "reports"
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name in (name for name in MOST if name.endswith(", s")):
        rows = [one.rows for one in measured]
        axes.loglog(rows, [one.figures[name] for one in measured], marker="o", label=name[:-3])
    axes.loglog(list(plainly), list(plainly.values()), marker="s", label="report, plain rows")
    axes.set(xlabel="rows", ylabel="processor time, s")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(file, metadata={"Date": None})


class Measured(NamedTuple):
    """The section of the page, and what was missed."""

    text: str
    missed: Sequence[Missed]


def measure(
    sizes: Sequence[int] = ROWS, plain_sizes: Sequence[int] = PLAIN_ROWS, docs: Path = DOCS
) -> Measured:
    """Measure all sizes, and draw the plot beside the page."""
    with tempfile.TemporaryDirectory() as folder:
        measured = [read(rows, Path(folder)) for rows in sizes]
        plainly = {}
        for rows in plain_sizes:
            plainly[rows] = plain(rows, Path(folder))
            (Path(folder) / "writing.db").unlink()
    draw(measured, plainly, docs / "benchmarks-reports.svg")
    missed = [one for each in measured for one in each.missed]
    return Measured(section(measured, plainly), missed)


def main() -> None:
    """Measure, and rewrite the section."""
    sizes = [int(word) for word in sys.argv[1:]]
    text = (measure(sizes, sizes) if sizes else measure()).text
    page = DOCS / "benchmarks.md"
    before, _, after = page.read_text().partition(HEADING)
    _, mark, rest = after.partition("\n## ")
    page.write_text(f"{before.rstrip()}\n\n{text}" + (f"\n## {rest}" if mark else ""))
    print(text)


if __name__ == "__main__":
    main()
