"""Runs of several machines become one, of which each machine is a vantage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stress.analysis.compare.replay import matcher
from stress.errors import RecordError, UsageError
from stress.evidence.redaction import SharedRun
from stress.model.chain import Chain
from stress.model.plan import Address, Plan, Replay
from stress.model.record import Record
from stress.model.run import End, Probe, ResumptionMatrix, RunEnd, Vantage
from stress.model.summary import Answer, Summary
from stress.planning.request import Request
from stress.report.summary import summarize
from stress.runner.again import plan_replay, read_first_part
from stress.runner.merge import merge
from stress.runner.records import join
from stress.runner.run import RunLocation
from stress.store import RunFile, RunWriter, open_run
from stress.store.writer import leave_behind
from tests.runner.test_records_join import log_of

Make = Callable[..., Path]


class Altered:
    """What `RunWriter` is given, with changes to the rows."""

    def __init__(self, writer: RunWriter, change: Callable[[Record], Record]) -> None:
        self._writer, self._change = writer, change

    def fill(self, run: RunFile) -> None:
        for index, address in enumerate(run.addresses()):
            self._writer.add_address(index, address)
        verdicts = run.verdicts()
        for seen in run.chains():
            about = [one for one in verdicts if one.chain == seen.sha256]
            self._writer.add_chain(Chain(seen.certificates), about)
        self._writer.add_records(list(map(self._change, run.records())))
        for one in run.transcripts():
            self._writer.add_transcripts([replace(one, record=self._change(one.record))])


@pytest.fixture
def part(run_file: Path, tmp_path: Path) -> Make:
    """The recorded run as another machine would have made it, a moment later."""
    made = iter(range(1, 100))

    def make(
        name: str,
        *,
        change: Callable[[Record], Record] = lambda record: record,
        end: End | None = End.COMPLETED,
        step_ns: int = 1_000_000,
        reasons: tuple[str, ...] = (),
        matrix: ResumptionMatrix | None = None,
        **plan: Any,
    ) -> Path:
        path, later_ns = tmp_path / f"{name}.db", next(made) * step_ns

        def later(record: Record) -> Record:
            moved = change(record)
            return moved._replace(
                due_ns=moved.due_ns + later_ns, started_ns=moved.started_ns + later_ns
            )

        with open_run(run_file) as run:
            facts = run.facts()
            writer = RunWriter(
                path,
                replace(facts.plan, **plan),
                started_ns=facts.started_ns + later_ns,
                versions=facts.versions,
                host=f"vm-{name} (127.0.0.1)",
            )
            Altered(writer, later).fill(run)
            if end is None:
                writer.commit(facts.started)
                writer.close()
            else:
                assert facts.ended_ns is not None
                ended_ns = facts.ended_ns + later_ns
                writer.finish(RunEnd(end, ended_ns, facts.started, reasons, matrix=matrix))
        return path

    return make


def merged(*words: Path | str, said: list[str] | None = None, name: str = "all") -> Path:
    folder = next(Path(str(word).rpartition("=")[2]).parent for word in words)
    heard = [] if said is None else said
    return merge([str(word) for word in words], RunLocation(folder, name), heard.append)


def answer(path: Path) -> Summary:
    with open_run(path) as run:
        return summarize(run)


def good_chain(run_file: Path) -> bytes:
    with open_run(run_file) as run:
        return max(run.chains(), key=lambda chain: chain.seen).sha256


def test_counts_add_up_and_the_files_stay_as_they_are(
    run_file: Path, part: Make, tmp_path: Path
) -> None:
    files = [part("fra"), part("nyc")]
    before, said = [file.read_bytes() for file in files], list[str]()

    path = merged(*files, said=said)

    one, both = answer(run_file), answer(path)
    assert both.attempts == 2 * one.attempts
    assert both.failures.count == 2 * one.failures.count
    assert {line.name: line.attempts for line in both.vantages} == {
        "fra": one.attempts,
        "nyc": one.attempts,
    }
    assert [line.clock_offset_ms for line in both.vantages] == [None, None]
    assert {line.networks for line in both.vantages} == {("127.0.0.1",)}
    assert "other networks" in one.lines.asked
    assert "other networks" not in both.lines.asked
    assert "2 vantages (fra, nyc)" in both.lines.whence
    with open_run(run_file) as run, open_run(path) as whole:
        load, total = run.facts().plan.load, whole.facts().plan.load
        assert load.count is not None
        assert (total.count, total.concurrency) == (2 * load.count, 2 * load.concurrency)
        kept = [one.record for one in whole.transcripts()]
        rows = {row.id: row for row in whole.records()}
        assert len(kept) == 2 * len(list(run.transcripts()))
    assert [rows[record.id] for record in kept] == kept
    assert [file.read_bytes() for file in files] == before
    assert said == [f"2 runs from 2 vantages: {2 * one.attempts} rows", f"run file: {path}"]


def test_what_fails_from_one_vantage_only_is_told_as_that(run_file: Path, part: Make) -> None:
    whole = good_chain(run_file)

    def mended(record: Record) -> Record:
        return record._replace(outcome="ok", chain=whole)

    path = merged(part("fra", change=mended), part("nyc"), part("sfo", change=mended))

    first = answer(path).causes[0]
    assert [(one.dimension, one.value) for one in first.conditions] == [("vantage", "nyc")]
    assert "are from nyc" in first.sentence
    with open_run(path) as run:
        meets = matcher(run, first.conditions)
        failing = list(run.failures(1000))
        assert {run.facts().vantages[row.vantage or 0].name for row in failing} == {"nyc"}
        assert all(map(meets, failing))


def told(summary: Summary) -> tuple[object, ...]:
    """What a report says, apart from the name of the file."""
    causes = [(one.sentence, one.failures, one.attempts) for one in summary.causes]
    lines = [(one.name, one.attempts, one.failures, one.interval) for one in summary.vantages]
    return (
        *(summary.verdict, summary.attempts, summary.failures, summary.latency, summary.chains),
        *(causes, lines, summary.addresses, summary.validity),
    )


def test_another_order_and_another_merge_give_the_same_answer(part: Make) -> None:
    a, b, c = part("a"), part("b"), part("c")

    at_once = answer(merged(a, b, c))
    turned = answer(merged(c, a, b, name="turned"))
    pair = merged(c, a, name="pair")
    in_steps = answer(merged(b, pair, name="steps"))

    assert told(at_once) == told(turned) == told(in_steps)
    with pytest.raises(UsageError, match=r"pair.db and .*hold the same run|hold the same run"):
        merged(a, pair, name="twice")


def test_the_start_is_told_by_the_clock_of_all_other_times(part: Make) -> None:
    """Of one vantage of a run that is its own clock, and of a merged run the shared one."""
    a, ahead_ns = part("a"), 37_000_000_000
    with open_run(a) as run:
        facts = run.facts()
    seen = Vantage("a", "vm-a", facts.started_ns, (), {}, (), ahead_ns, 5)

    assert replace(facts, vantages=(seen,)).begun_ns == facts.started_ns
    corrected = replace(facts, started_ns=facts.started_ns - ahead_ns - 5, vantages=(seen,))
    assert corrected.begun_ns == facts.started_ns - ahead_ns


def test_that_few_rows_all_stay_is_said(part: Make) -> None:
    said: list[str] = []
    a = part("a")

    merge([str(a)], RunLocation(a.parent, "small"), said.append, thin=True)

    assert said[0].endswith(" rows, all of which stay in the new file: a report reads as many")


def test_what_stays_behind_is_named_and_no_byte_of_a_secret_travels(part: Make) -> None:
    file = merged(part("a"), part("b"))
    key_log, rows = file.with_name("all.keys"), file.with_name("whole.db")
    with open_run(file) as run:
        before = list(run.transcripts())

    leave_behind(file, rows=rows, secrets=key_log)
    leave_behind(file, rows=rows, secrets=file.with_name("none.keys"))

    lines = [line for one in before for line in one.secrets]
    content = file.read_bytes()
    assert lines
    assert key_log.read_text().splitlines() == lines
    assert key_log.stat().st_mode & 0o777 == 0o600
    assert not file.with_name("none.keys").exists()
    with open_run(file) as run:
        facts, after = run.facts(), list(run.transcripts())
    assert after == [replace(one, secrets=()) for one in before]
    assert {(one.rows, one.secrets) for one in facts.vantages} == {(str(rows), str(key_log))}
    for line in lines:
        secret = line.split()[2]
        assert not any(each in content for each in (secret.encode(), bytes.fromhex(secret)))


def test_secrets_that_cannot_be_put_aside_stay_in_the_file(part: Make) -> None:
    file = part("a")
    before = file.read_bytes()

    with pytest.raises(RecordError, match=r"a\.keys: No such file or directory"):
        leave_behind(file, rows=None, secrets=file.with_name("none") / "a.keys")

    assert file.read_bytes() == before


def test_a_file_given_twice_is_noticed_also_under_another_name(part: Make) -> None:
    a = part("a")
    copy = a.with_name("copy.db")
    copy.write_bytes(a.read_bytes())

    for other in (a, copy):
        with pytest.raises(UsageError, match="hold the same run, of vm-a") as refused:
            merged(a, other)
        assert refused.value.hint == "Leave one of them out."
    assert not a.with_name("all.db").exists()


OTHER: tuple[tuple[dict[str, Any], str], ...] = (
    ({"server_name": "else.example"}, "server_name (farm.test; else.example)"),
    ({"resumption": 0.7}, "resumption (0.0; 0.7)"),
    ({"goals": ("failures<1",)}, "goals"),
)


@pytest.mark.parametrize(("plan", "said"), OTHER, ids=[said for _, said in OTHER])
def test_another_plan_is_refused_with_what_differs(
    part: Make, plan: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match="have different plans: ") as refused:
        merged(part("a"), part("b", **plan))

    assert said.partition(" ")[0] in refused.value.message
    assert ";" in refused.value.message


def test_loads_must_have_one_shape_and_may_have_any_size(run_file: Path, part: Make) -> None:
    with open_run(run_file) as run:
        load = run.facts().plan.load
    smaller = part("smaller", load=replace(load, count=7, concurrency=3, processes=2), seed=5)

    with open_run(merged(part("a"), smaller)) as run:
        assert run.facts().plan.load.count == (load.count or 0) + 7
    with pytest.raises(UsageError, match=r"load.rate \(False; True\)"):
        merged(part("b"), part("open", load=replace(load, rate=50.0)))
    with pytest.raises(UsageError, match=r"load.duration_s"):
        merged(part("c"), part("longer", load=replace(load, count=None, duration_s=9.0)))


def test_what_says_nothing_as_a_part_is_refused(part: Make) -> None:
    replayed = Replay("x", (), 1, 0.0, ("eof",), 0.1)
    for special, what in (
        ({"find_limit": "failing<1%"}, "limit"),
        ({"replay": replayed}, "replay"),
    ):
        with pytest.raises(UsageError, match=what):
            merged(part(f"a-{what}"), part(what, **special), name=f"no-{what}")
    with pytest.raises(UsageError, match="one run file alone"):
        merged(part("alone"))


def test_how_long_an_answer_of_dns_holds_may_differ(part: Make) -> None:
    path = merged(part("fra", resolve_again_s=60.0), part("nyc", resolve_again_s=59.0))

    assert len(answer(path).vantages) == 2


def test_names_of_vantages(part: Make) -> None:
    a, b = part("a"), part("b")

    named = answer(merged(f"Frankfurt={a}", b))

    assert [one.name for one in named.vantages] == ["Frankfurt", "b"]
    with pytest.raises(UsageError, match="two vantages are called b") as refused:
        merged(f"b={a}", b, name="same")
    assert refused.value.hint is not None
    assert "fra=A.db" in refused.value.hint
    with pytest.raises(UsageError, match="is merged already"):
        merged(f"x={a.with_name('all.db')}", part("c"), name="more")


def test_a_lost_part_is_named_and_makes_nothing_else_invalid(part: Make) -> None:
    summary = answer(merged(part("a", reasons=("it was noisy",)), part("lost", end=None)))

    assert summary.verdict is Answer.FAILING
    reasons = " ".join(summary.validity.reasons)
    assert "a: it was noisy" in reasons
    assert "lost: its run has no end mark" in reasons


def test_dns_that_answers_differently_is_told(part: Make, run_file: Path) -> None:
    with open_run(run_file) as run:
        plan: Plan = run.facts().plan
    other = (*plan.addresses, Address("127.0.0.9", 443))

    summary = answer(merged(part("a"), part("b", addresses=other)))

    assert "DNS answers differ by vantage: a 127.0.0.1; b 127.0.0.1, 127.0.0.9" in " ".join(
        summary.validity.reasons
    )


def test_an_older_schema_is_refused(part: Make) -> None:
    old = Path(__file__).parents[1] / "store" / "data" / "schema-1.db"

    with pytest.raises(UsageError, match=r"schema \(.; .\)"):
        merged(part("a"), old)


def test_a_replay_is_made_where_the_cause_is_seen(run_file: Path, part: Make) -> None:
    whole = good_chain(run_file)
    good = part("fra", change=lambda record: record._replace(outcome="ok", chain=whole))
    path = merged(good, part("nyc"))

    with (
        open_run(path) as run,
        pytest.raises(UsageError, match="cause 1 of all is seen from nyc only"),
    ):
        plan_replay(run, Request(), cause=None, tries=3, gap_s=None)
    with pytest.raises(UsageError, match="the run all is merged from 2 machines"):
        read_first_part(Request(interrupted=str(path)), path.parent)


def test_a_log_may_be_joined_to_a_merged_run(part: Make, tmp_path: Path) -> None:
    path = merged(part("a"), part("b", step_ns=1_000_000_000))

    joined = join(
        path,
        [log_of(path, tmp_path / "lb.log")],
        RunLocation(tmp_path),
        print,
        form=None,
        nat=False,
    )

    assert [one.name for one in answer(joined).vantages] == ["a", "b"]
    assert sum(one.attempts for one in answer(joined).backends) == answer(path).attempts


def test_nothing_private_is_in_a_shared_report(part: Make) -> None:
    path = merged(f"vm-a={part('a')}", part("b", reasons=("vm-a and b",)))

    with open_run(path) as opened:
        summary = summarize(SharedRun.of(opened))

    assert [(one.name, one.host) for one in summary.vantages] == [("b", ""), ("vantage-1", "")]
    assert "vm-a" not in repr(summary)
    assert not {"127.0.0.1"} & {net for one in summary.vantages for net in one.networks}


def probes(version: int, *offers: int | None) -> ResumptionMatrix:
    """Connections that each offered the session of that one; every one was accepted."""
    return ResumptionMatrix(
        version, tuple(Probe(0, 40_000 + n, one, one is not None) for n, one in enumerate(offers))
    )


def test_sessions_that_each_machine_offered_add_up(part: Make, tmp_path: Path) -> None:
    one, two = probes(0x0303, None, 0, 0), probes(0x0303, None, 0)
    parts = [part("a", matrix=one), part("b"), part("c", matrix=two)]

    with open_run(merge(list(map(str, parts)), RunLocation(tmp_path), lambda _: None)) as run:
        matrix, reasons = run.facts().matrix, run.facts().reasons

    assert matrix is not None
    assert matrix.tls_version == 0x0303
    assert [probe.offered for probe in matrix.probes] == [None, 0, 0, None, 3]
    assert reasons == ()


def test_sessions_of_another_version_are_left_out_and_that_is_told(
    part: Make, tmp_path: Path
) -> None:
    one, two = probes(0x0304, None, 0), probes(0x0303, None, 0, 0)
    parts = [part("a", matrix=one), part("b", matrix=two)]

    with open_run(merge(list(map(str, parts)), RunLocation(tmp_path), lambda _: None)) as run:
        summary, matrix = summarize(run), run.facts().matrix

    assert matrix == two
    assert summary.resumption_groups is not None
    assert any("a: its sessions are of another TLS" in one for one in summary.validity.reasons)
