from dataclasses import replace

from stress.analysis.tally import count
from stress.model.summary import AddressLine, Interval, Summary
from stress.report.page.series import MOST_ROWS, RateRow, RateTable, scale_of, shares
from stress.store import RunFile


def tables(run: RunFile, summary: Summary) -> dict[str, RateTable]:
    made = shares(summary, count(run.cube().cells), run.facts(), run.chains(), run.cube())
    return {table.dimension: table for table in made}


def test_every_place_has_its_share(page_run: RunFile, page_summary: Summary) -> None:
    found = tables(page_run, page_summary)

    assert list(found) == ["address", "client", "chain"]
    assert [(row.name, row.note, row.failures) for row in found["address"].rows] == [
        ("blue", "192.0.2.2:443", 50),
        ("192.0.2.1:443", "", 1),
    ]
    assert [(row.name, row.attempts, row.failures) for row in found["client"].rows] == [
        ("ios-urlsession", 200, 50),
        ("generic", 200, 1),
    ]
    assert [(row.attempts, row.failures) for row in found["chain"].rows] == [(50, 50), (349, 0)]


def test_the_bars_end_at_the_highest_interval(page_run: RunFile, page_summary: Summary) -> None:
    table = tables(page_run, page_summary)["address"]

    assert scale_of(table.rows) == max(row.interval.high for row in table.rows)


def test_an_address_that_nothing_reached_stretches_no_scale() -> None:
    everything = Interval(0.95, 0.0, 1.0, "exact")
    idle = RateRow("192.0.2.9:443", "", 0, 0, everything)
    busy = RateRow("192.0.2.1:443", "", 10, 1, replace(everything, low=0.1, high=0.4))

    assert scale_of([busy, idle]) == 0.4
    assert scale_of([idle]) == 1.0


def test_a_thousand_addresses_are_cut_and_counted(page_run: RunFile, page_summary: Summary) -> None:
    interval = Interval(0.95, 0.0, 0.1, "exact")
    lines = [AddressLine(f"192.0.2.{n}:443", None, 10, 0, interval) for n in range(1000)]
    worst = AddressLine("198.51.100.1:443", None, 10, 5, replace(interval, low=0.2, high=0.8))

    crowd = replace(page_summary, addresses=(*lines, worst))
    table = tables(page_run, crowd)["address"]

    assert len(table.rows) == MOST_ROWS
    assert table.left_out == 1001 - MOST_ROWS
    assert table.rows[0].name == "198.51.100.1:443"
