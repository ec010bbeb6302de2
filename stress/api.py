"""The public Python interface: plan and perform a run, open a recorded one, judge, isolate.

It uses `stress.runner`, as the command line does, with the same options under the same names.
Nothing is printed: what the command line says while it works goes to the logger `stress`. What is
wrong with a value, a file or this machine raises a `StressError`; what the target does never does:
it is in the records.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from os import PathLike, fspath
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Self

from stress.errors import UsageError
from stress.model.observer import Observer
from stress.model.plan import Plan as FullPlan
from stress.model.run import Progress, SeenChain
from stress.model.summary import Summary
from stress.model.transcript import Transcript
from stress.planning.option import Section, ValueType
from stress.planning.request import Request, options
from stress.text.escape import did_you_mean, quoted, shell_line
from stress.text.units import written

if TYPE_CHECKING:
    import numpy as np

    from stress.report.judgement import Judgement
    from stress.store import RunFile

_LOG = logging.getLogger("stress")
_ROWS_AT_ONCE = 50_000
_HERE = frozenset({"name", "results"})
"""The output options that concern the run file; the others print or write reports."""


class Plan:
    """What a run will do, checked; nothing was sent but DNS queries.

    Args:
        target: host, `host:port`, `192.0.2.1:443`, `[2001:db8::1]:443` or `https://host/`.
        options: those of `tls-stress run`, with `_` for `-`: `count=5000`, `rate="200/s"`,
            `client=["ios-urlsession", "go"]`, `ca="root.pem"`, `until="failing<0.1%"`,
            `assert_="chains==1"`, `results="results"`, `i_am_authorized=True`. Numbers and paths
            may be given as such; a repeatable option takes a list.

    Raises:
        UsageError: a value is wrong, the name does not resolve, or the load needs consent.
    """

    def __init__(self, target: str, **options: Any) -> None:
        from stress.runner.run import RunLocation, prepare  # noqa: PLC0415 - heavy

        self._request = _request((target,), options)
        self._location = RunLocation.of(self._request)
        self._plan = prepare(self._request)

    @property
    def full(self) -> FullPlan:
        """Everything that was decided, such as `full.addresses` and `full.load`."""
        return self._plan

    @property
    def command(self) -> str:
        """The command line that makes the same plan."""
        from stress.planning.run_command import run_argv  # noqa: PLC0415 - heavy

        return shell_line(run_argv(self._plan, made_now=True))

    def __repr__(self) -> str:
        """As the command line."""
        return f"<Plan: {self.command}>"

    def run(self) -> RecordedRun:
        """Perform it; returns when the run is over.

        Ctrl-C ends a run as it does on the command line: what was recorded is kept, and the
        verdict is `interrupted`.

        Raises:
            UsageError: it is called in a Trio task (await `run_async`), or the run file cannot be
                made.
            RecordError: the record could not be written to its end.
        """
        import trio  # noqa: PLC0415 - heavy

        if trio.lowlevel.in_trio_run():
            raise UsageError("run() would block Trio", "Await run_async() instead.")
        return _opened(self._perform(()), made_now=True)

    async def run_async(self) -> RecordedRun:
        """Perform it in a Trio task, beside others.

        Cancellation ends the run gracefully: no new handshake is started, those in flight finish,
        and what was recorded is returned; the cancellation takes effect at the caller's next
        checkpoint. So a run in `trio.move_on_after(60)` lasts a minute at most.

        Raises:
            UsageError: the run file cannot be made.
            RecordError: the record could not be written to its end.
        """
        import trio  # noqa: PLC0415 - heavy

        switch = _Switch()

        async def watch() -> None:
            try:
                await trio.sleep_forever()
            finally:
                switch.stop.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            # The thread cannot be cancelled: the switch ends the run, and the thread with it.
            path = await trio.to_thread.run_sync(self._perform, (switch,))
            # From here on a cancellation is the caller's, who still gets what was recorded.
            nursery.cancel_scope.shield = True
            nursery.cancel_scope.cancel()
        return _opened(path, made_now=True)  # here: SQLite keeps to one thread

    def _perform(self, watching: tuple[Observer, ...]) -> Path:
        from stress.planning.profile import filled  # noqa: PLC0415 - heavy
        from stress.runner.observers import Display  # noqa: PLC0415 - heavy
        from stress.runner.run import record  # noqa: PLC0415 - heavy

        display = Display(_LOG.info, watching=watching)
        settings, _ = filled(self._request)
        if settings.vantages:
            from stress.vantage.home import record_from  # noqa: PLC0415 - heavy

            return record_from(settings, self._plan, self._location, display)
        return record(self._plan, self._location, display)


@dataclass(slots=True)
class _Switch(Observer):
    """Stops a run from another thread."""

    stop: Event = field(default_factory=Event)

    def on_progress(self, progress: Progress) -> str | None:  # noqa: ARG002 - whatever it is
        """Why the run should stop; None: it goes on."""
        return "cancelled by the program that started it" if self.stop.is_set() else None


def run(target: str, **options: Any) -> RecordedRun:
    """Open handshakes and record them; returns when the run is over.

    Args:
        target: as of `Plan`.
        options: as of `Plan`.

    Raises:
        UsageError: a value is wrong, the load needs consent, or the run file cannot be made.
        RecordError: the record could not be written to its end.
    """
    return Plan(target, **options).run()


async def run_async(target: str, **options: Any) -> RecordedRun:
    """Open handshakes and record them, in a Trio task beside others; see `Plan.run_async`."""
    import trio  # noqa: PLC0415 - heavy

    plan = await trio.to_thread.run_sync(partial(Plan, target, **options))
    return await plan.run_async()


def _request(targets: tuple[str, ...], given: Mapping[str, Any]) -> Request:
    """The options as the command line would have them.

    Raises:
        UsageError: there is no such option, or it prints something.
    """
    fields = {
        option.name.replace("-", "_"): name
        for name, option in options().items()
        if option.value is not ValueType.ARGUMENTS
        and option.section is not Section.PROFILE_ONLY
        and (option.section is not Section.OUTPUT or name in _HERE)
        and name != "interrupted"
    }
    values: dict[str, Any] = {}
    for word, value in given.items():
        name = fields.get(word.removesuffix("_"))
        if name is None:
            raise UsageError(f"there is no option {quoted(word)}", did_you_mean(word, fields))
        if value is not None:
            values[name] = _texts(value, repeatable=options()[name].value is ValueType.LIST)
    return Request(targets=targets, **values)


def _texts(value: Any, *, repeatable: bool) -> Any:
    """A value as it would have been typed."""
    if repeatable:
        many = [value] if isinstance(value, str | PathLike) else value
        return tuple(_texts(each, repeatable=False) for each in many)
    if isinstance(value, bool):
        return value
    return fspath(value) if isinstance(value, PathLike) else written(value)


class RecordedRun:
    """A recorded run, read-only; close it, or use it in a `with` statement.

    It sees the run as it was when it was opened. Made by `run`, `open` and `isolate`.
    """

    def __init__(self, path: Path, file: RunFile) -> None:
        self.path = path
        """The run file."""
        self._file = file

    def __enter__(self) -> Self:
        """Return the run itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def __repr__(self) -> str:
        """With the path."""
        return f"<RecordedRun: {self.path}>"

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()

    def summary(
        self,
        *,
        assertions: Sequence[str] = (),
        policy: str | None = None,
        at: int | None = None,
    ) -> Summary:
        """Return what the report says: verdict, failures, causes, chains, latency, validity.

        Args:
            assertions: judge the run by these instead of its own goals and assertions.
            policy: validate the recorded chains by this trust policy instead.
            at: validate them as of this time, in Unix seconds.

        Raises:
            UsageError: an assertion or the policy is wrong.
            RunFileError: the file is damaged.
        """
        from stress.runner.judge import Rejudgement  # noqa: PLC0415 - heavy

        return Rejudgement(tuple(assertions), policy, at).summarize(self._file)

    def report(self, form: str = "html") -> str:
        """Return the report as a document: `html`, `junit`, `openmetrics` or `markdown`.

        Raises:
            UsageError: there is no such form.
        """
        from stress.planning.request import FORMS  # noqa: PLC0415 - seldom needed
        from stress.runner.report_files import render  # noqa: PLC0415 - heavy

        if form not in FORMS:
            raise UsageError(f"there is no form {quoted(form)}", did_you_mean(form, FORMS))
        return render(form, self.summary(), self._file)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows, as in the view `handshake`."""
        return tuple(self._file.handshakes()[0])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the attempts, one dictionary each, in the order in which they ended.

        Numbers and texts; None means "not reached". Times ending in `_ns` are nanoseconds.

        Raises:
            RunFileError: the file is damaged.
        """
        names, rows = self._file.handshakes()
        return (dict(zip(names, row, strict=True)) for row in rows)

    def batches(self, size: int = _ROWS_AT_ONCE) -> Iterator[dict[str, list[Any]]]:
        """Yield the attempts in batches of at most `size` rows: column name to values.

        Raises:
            RunFileError: the file is damaged.
        """
        names, rows = self._file.handshakes()
        while batch := list(islice(rows, size)):
            columns = zip(*batch, strict=True)
            yield {name: list(column) for name, column in zip(names, columns, strict=True)}

    def arrays(self, *columns: str) -> dict[str, np.ma.MaskedArray[Any, Any]]:
        """Return columns of all attempts as NumPy arrays; what was not reached is masked.

        Args:
            columns: their names; none: all. Numbers become int64, texts objects.

        Raises:
            UsageError: there is no such column.
            RunFileError: the file is damaged.
        """
        import numpy as np  # noqa: PLC0415 - heavy

        for name in columns:
            if name not in self.columns:
                raise UsageError(
                    f"there is no column {quoted(name)}", did_you_mean(name, self.columns)
                )
        texts = self._file.text_columns()
        parts: dict[str, list[Any]] = {name: [] for name in columns or self.columns}
        for batch in self.batches():
            for name, values in parts.items():
                missing = np.array([value is None for value in batch[name]], dtype=bool)
                filled = [
                    ("" if name in texts else 0) if one is None else one for one in batch[name]
                ]
                kind = object if name in texts else np.int64
                values.append(np.ma.MaskedArray(np.array(filled, dtype=kind), missing))
        joined: Any = np.ma.concatenate
        empty: Any = np.ma.MaskedArray([], dtype=np.int64)
        return {name: joined(values) if values else empty for name, values in parts.items()}

    def arrow(self) -> Any:
        """Return all attempts as one `pyarrow.Table`; needs `tls-stress[parquet]`.

        Raises:
            UsageError: pyarrow is not installed.
            RunFileError: the file is damaged.
        """
        from stress.store.export import arrow_table  # noqa: PLC0415 - heavy

        return arrow_table(self._file)

    def chains(self) -> Sequence[SeenChain]:
        """Return the distinct chains: SHA-256, certificates (DER, in the order sent), how often.

        Raises:
            RunFileError: the file is damaged.
        """
        return self._file.chains()

    def evidence(self) -> Iterator[Transcript]:
        """Yield what was kept byte for byte, of failures and of matched good attempts.

        Raises:
            RunFileError: the file is damaged.
        """
        return self._file.transcripts()


def open_(
    run: str | PathLike[str] | None = None, *, results: str | PathLike[str] = "results"
) -> RecordedRun:
    """Open a recorded run.

    Args:
        run: a path, a name in the results directory, or None for the latest.
        results: the results directory.

    Raises:
        RunFileError: there is no such run, or the file is not one.
    """
    from stress.store import locate  # noqa: PLC0415 - heavy

    return _opened(locate(None if run is None else fspath(run), Path(results)))


def _opened(path: Path, *, made_now: bool = False) -> RecordedRun:
    from stress.store import open_run  # noqa: PLC0415 - heavy

    return RecordedRun(path, open_run(path, made_now=made_now))


def judge(
    chain: str | PathLike[str] | bytes | Sequence[bytes],
    host: str,
    *,
    at: str | None = None,
    policy: str | None = None,
    ca: str | PathLike[str] | None = None,
    stores: str | PathLike[str] | None = None,
) -> Judgement:
    """Return what each client family says of a chain, offline.

    Args:
        chain: a file, its bytes (PEM or DER), or the certificates one by one, in the order in
            which the server sends them.
        host: name or address that the client asked for.
        at: judge as of this time: a date, an RFC 3339 time or `+30d`; None: now.
        policy: judge by this trust policy alone; None: by all.
        ca: PEM file of trust anchors to use instead of the clients' own root stores.
        stores: file of the clients' root stores, instead of those shipped.

    Returns:
        `verdicts` by policy, each with `refusal` and `findings`; `accepted`, whether all accept it;
        `missing`, the certificates that would complete it.

    Raises:
        UsageError: a value is wrong, or a file cannot be read.
    """
    from stress.runner.judge import (  # noqa: PLC0415 - heavy
        judge_chain,
        parse_certificates,
        read_certificates,
    )

    certificates: list[bytes] = []
    if isinstance(chain, str | PathLike):
        certificates += read_certificates(Path(chain), fspath(chain))
    else:
        for each in [chain] if isinstance(chain, bytes) else chain:
            certificates += parse_certificates(each, "the chain")
    ca, stores = (None if path is None else fspath(path) for path in (ca, stores))
    return judge_chain(certificates, host, at=at, policy=policy, ca=ca, stores=stores)


def isolate(
    rows: str | PathLike[str] | Iterable[Mapping[str, Any]],
    *,
    failed: str | None = None,
    time: str | None = None,
    dimensions: Sequence[str] = (),
    count: str | None = None,
    latency: str | None = None,
    name: str | None = None,
    results: str | PathLike[str] = "results",
) -> RecordedRun:
    """Search for causes in records that are not ours: what do the failed rows have in common?

    Args:
        rows: a file (CSV, JSON lines or Parquet), or one mapping per attempt.
        failed: which rows failed, such as `"error != empty"`.
        time: the column that says when; None: a column of that name.
        dimensions: search in these columns only; empty: every column of few values.
        count: the column that says how many attempts a row stands for.
        latency: the column that says how long, such as `"took=ms"`.
        name: of the run; None: named after the file and the time.
        results: directory of the run file.

    Raises:
        UsageError: a row, a column or the expression is wrong, or nothing (or everything) failed.
    """
    import msgspec  # noqa: PLC0415 - heavy

    from stress.records.reading import Choice  # noqa: PLC0415 - heavy
    from stress.runner.records import isolate as isolate_records  # noqa: PLC0415 - heavy
    from stress.runner.run import RunLocation  # noqa: PLC0415 - heavy

    choice = Choice(failed, time, tuple(dimensions), count, latency)
    location = RunLocation(Path(results), name)
    if isinstance(rows, str | PathLike):
        return _opened(isolate_records([Path(rows)], choice, location, _LOG.info))
    with tempfile.TemporaryDirectory(prefix="tls-stress-") as folder:
        path = Path(folder, "rows.jsonl")  # which the reader of records bounds and checks
        encoder = msgspec.json.Encoder()
        with path.open("wb") as stream:
            for number, row in enumerate(rows, 1):
                try:
                    stream.write(encoder.encode(row) + b"\n")
                except (TypeError, ValueError) as error:
                    raise UsageError(
                        f"row {number} cannot be written as JSON: {quoted(error)}"
                    ) from None
        return _opened(isolate_records([path], choice, location, _LOG.info))
