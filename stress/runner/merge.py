"""Merges the run files of several machines into one, in which each machine is a vantage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stress.errors import UsageError
from stress.model.plan import Address, Load, Plan
from stress.model.run import (
    ONE_SOURCE,
    WAS_LOST,
    End,
    JoinedLog,
    Probe,
    ResumptionMatrix,
    RunEnd,
    RunFacts,
    Vantage,
)
from stress.runner.judge import refuse_records
from stress.text.escape import command, printable
from stress.text.numbers import counted, thousands

if TYPE_CHECKING:
    from stress.runner.run import RunLocation
    from stress.store import RunFile

_T = TypeVar("_T")

_OWN = {"addresses", "sources", "load", "trust", "seed", "profile", "notes", "authorized"}
_OWN |= {"client_certificate", "client_key", "resolve_again_s"}
"""Fields of the plan that each machine has for itself, or that are compared part by part."""
_ADDED = ("count", "rate", "concurrency", "processes")
"""Fields of the load that are totals: each machine has its part of them."""
_COMPARED_TRUST = ("policy", "host", "private", "at", "pins", "aia")
_SHOWN, _NAMED = 60, 5


@dataclass(frozen=True, slots=True)
class _File:
    """A run file that is to be merged."""

    path: Path
    run: RunFile
    facts: RunFacts
    addresses: Sequence[Address]
    vantages: tuple[Vantage, ...]

    @property
    def merged(self) -> bool:
        """Whether it is merged already."""
        return bool(self.run.elsewhere or self.facts.merged)

    @property
    def ahead_ns(self) -> int:
        """How far its clock was ahead; a file that is merged already is corrected."""
        return 0 if self.merged else self.vantages[0].offset_ns or 0

    @property
    def begun_ns(self) -> int:
        """When its first machine began, by the shared clock."""
        return min(one.started_ns - (one.offset_ns or 0) for one in self.vantages)

    @property
    def span_ns(self) -> tuple[int, int]:
        """When its first and its last attempt were due."""
        begun = self.facts.started_ns
        first = begun if self.facts.first_ns is None else self.facts.first_ns
        last = begun if self.facts.last_ns is None else self.facts.last_ns
        return first - self.ahead_ns, last - self.ahead_ns

    @property
    def identity(self) -> list[tuple[int, str]]:
        return sorted(map(_start, self.vantages))


def _start(vantage: Vantage) -> tuple[int, str]:
    """What tells one run from another."""
    return vantage.started_ns, vantage.host


def merge(
    words: Sequence[str],
    location: RunLocation,
    notify: Callable[[str], None],
    doubts: Sequence[str] | None = None,
    *,
    thin: bool = False,
) -> Path:
    """Merges run files; they stay as they are.

    Args:
        words: paths of run files or their names in the results directory, each with a name for its
            vantage before it if it should have another (`frankfurt=a.db`).
        location: where the new file goes.
        notify: prints a message.
        doubts: what else the new file says about itself, such as a vantage that was lost. None: the
            files are all that there is, so there must be two, and the new one is called merged.
        thin: leave out rows of good handshakes of which a report needs no more than the counts;
            one file alone will do then.

    Raises:
        UsageError: the files are not parts of one run, or one is given twice.
        RunFileError: one cannot be read.
        RecordError: the new file cannot be written.
    """
    from stress.store import default_name, open_run  # noqa: PLC0415 - heavy

    if doubts is None and len(words) < 2 and not thin:
        raise UsageError(
            "one run file alone cannot be merged",
            f"Name at least two: {command('merge', 'A.db', 'B.db')}",
        )
    with ExitStack() as stack:
        given = sorted(_opened(words, location.folder, stack), key=lambda one: one.identity)
        for other in given[1:]:
            _refuse_other(given[0], other)
        files = _once(given)
        vantages = sorted((one for file in files for one in file.vantages), key=_start)
        plan = _whole([file.facts.plan for file in files])
        begun = datetime.fromtimestamp(min(file.begun_ns for file in files) / 1e9, UTC)
        name = default_name(plan.target.host, begun)
        path = location.reserve(name if doubts is not None else f"{name}-merged", notify)
        reasons = _reasons(given, doubts or ())
        try:
            _write(path, plan, files, vantages, reasons, thin=thin)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    attempts = sum(file.facts.recorded for file in files)
    rows = f"{thousands(attempts)} rows"
    with open_run(path) as run:
        if run.elsewhere:
            there = thousands(attempts - run.elsewhere)
            rows = f"{thousands(attempts)} handshakes, and rows of {there} of them"
        elif thin:  # a report needs all rows of so few
            rows += ", all of which stay in the new file: a report reads as many"
    notify(f"{counted(len(files), 'run')} from {counted(len(vantages), 'vantage')}: {rows}")
    notify(f"run file: {path}")
    return path


def _write(
    path: Path,
    plan: Plan,
    files: Sequence[_File],
    vantages: Sequence[Vantage],
    reasons: Sequence[str],
    *,
    thin: bool,
) -> None:
    """Write the merged run."""
    from stress.store.merging import MergePart, MergeWriter, first_block_ns  # noqa: PLC0415 - heavy

    addresses = _distinct(address for file in files for address in file.addresses)
    places = {_start(one): place for place, one in enumerate(vantages)}
    parts = [
        MergePart(
            file.run,
            file.path,
            file.facts.started_ns - file.ahead_ns,
            [addresses.index(address) for address in file.addresses],
            [plan.sources.index(source) for source in file.facts.plan.sources],
            [places[_start(one)] for one in file.vantages],
            len(plan.clients),
            file.ahead_ns,
            file.span_ns,
        )
        for file in files
    ]
    names = ", ".join(sorted(one.name for one in vantages)[:_NAMED])
    more = f" and {len(vantages) - _NAMED} more" if len(vantages) > _NAMED else ""
    writer = MergeWriter(
        path,
        plan,
        started_ns=first_block_ns(
            min(file.begun_ns for file in files), max(file.span_ns[1] for file in files)
        ),
        versions=files[0].facts.versions,
        host=f"{counted(len(vantages), 'vantage')} ({names}{more})",
        vantages=vantages,
    )
    try:
        writer.add_parts(addresses, parts, thin=thin)
        writer.finish(_ending(files, addresses, reasons))
    finally:
        writer.close()


def _opened(words: Sequence[str], folder: Path, stack: ExitStack) -> list[_File]:
    """The files, each with its vantages."""
    from stress.store import locate, open_run  # noqa: PLC0415 - heavy

    files = []
    for word in words:
        name, equals, rest = word.partition("=")
        given = name if equals and name and not Path(word).exists() else ""
        path = locate(rest if given else word, folder)
        run = stack.enter_context(open_run(path))
        facts = run.facts()
        refuse_records(facts, "there is nothing to merge")
        if facts.plan.replay is not None or facts.plan.find_limit or facts.plan.sweep:
            what = "a search for the limit" if facts.plan.replay is None else "a replay"
            raise UsageError(
                f"the run {facts.name} is {what}, which says nothing as a part of another run",
                f"Report it by itself: {command('report', facts.name)}",
            )
        if given and len(facts.vantages) > 1:
            raise UsageError(
                f"{path} is merged already, and its vantages have names",
                f"Give the file without a name: {command('merge', str(path), '…')}",
            )
        vantages = facts.vantages or (_vantage(run, facts, given),)
        if given and facts.vantages:
            vantages = (replace(vantages[0], name=printable(given, 80)),)
        run.forget()
        files.append(_File(path, run, facts, tuple(run.addresses()), vantages))
    return files


def _vantage(run: RunFile, facts: RunFacts, given: str) -> Vantage:
    """The machine of a run that is not merged, named as given, after the file, or after itself."""
    from stress.store import default_name  # noqa: PLC0415 - heavy

    host = facts.host.partition(" ")[0]
    usual = default_name(facts.plan.target.host, datetime.now(UTC)).rpartition("-")[0]
    named_by_us = facts.name.startswith(f"{usual}-") and host
    local = facts.plan.sources or tuple(
        sorted({printable(each.local_ip) for each in run.transcripts()})
    )
    return Vantage(
        printable(given or (host if named_by_us else facts.name), 80),
        facts.host,
        facts.started_ns,
        local,
        facts.versions,
        tuple(sorted({each.ip for each in facts.plan.addresses})),
    )


def _once(files: Sequence[_File]) -> Sequence[_File]:
    """The files without those whose rows stayed there, where the others have all of these.

    Raises:
        UsageError: the others have only some of them; an attempt would be counted twice, or two
            vantages have one name.
    """
    whole = {key for file in files if not file.run.elsewhere for key in file.identity}
    kept = []
    for file in files:
        known = whole.intersection(file.identity) if file.run.elsewhere else frozenset()
        if known and len(known) < len(file.vantages):
            missing = [one.name for one in file.vantages if _start(one) not in known]
            names = ", ".join(missing[:_NAMED])
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise UsageError(
                f"{file.path} lacks rows that stayed where they were made, and the other files"
                f" have those of some vantages only: {names}{more}: none",
                "Fetch their files, too. The file of one vantage is a run file of its own, which"
                " can be\nreported and exported by itself.",
            )
        if not known:
            kept.append(file)
    seen: dict[tuple[int, str], _File] = {}
    for file in kept:
        for key in file.identity:
            if key in seen:
                begun = datetime.fromtimestamp(key[0] / 1e9, UTC)
                both = f"{seen[key].path} and {file.path}"
                raise UsageError(
                    f"{both} hold the same run, of {key[1] or 'one machine'}, started"
                    f" {begun:%Y-%m-%d %H:%M:%S} UTC: its handshakes would be counted twice",
                    "Leave one of them out.",
                )
            seen[key] = file
    names_of = Counter(one.name for file in kept for one in file.vantages)
    repeated = [name for name, n in names_of.items() if n > 1]
    if repeated:
        raise UsageError(
            f"two vantages are called {repeated[0]}",
            f"Name them: {command('merge', 'fra=A.db', 'nyc=B.db')}",
        )
    return kept


def _refuse_other(first: _File, other: _File) -> None:
    """Raises UsageError, saying what differs, unless two runs have one plan and one schema."""
    schemas = [file.run.meta["schema"] for file in (first, other)]
    differing = [f"schema ({schemas[0]}; {schemas[1]})"] if schemas[0] != schemas[1] else []
    mine, its = first.facts.plan, other.facts.plan
    pairs = [
        (field.name, getattr(mine, field.name), getattr(its, field.name))
        for field in fields(Plan)
        if field.name not in _OWN
    ]
    pairs += [
        (f"trust.{name}", getattr(mine.trust, name), getattr(its.trust, name))
        for name in _COMPARED_TRUST
    ]
    if mine.trust.private and its.trust.private:
        pairs.append(("trust anchors", mine.trust.anchors, its.trust.anchors))
    shape, another = _shape(mine.load), _shape(its.load)
    pairs += [(f"load.{name}", shape[name], another[name]) for name in shape]
    differing += [f"{name} ({_text(a)}; {_text(b)})" for name, a, b in pairs if a != b]
    if differing:
        raise UsageError(
            f"{first.path} and {other.path} have different plans: {', '.join(differing)}",
            "Only runs of one plan add up; `compare` is for runs that differ.",
        )


def _text(value: object) -> str:
    """A value of a plan, short enough for a message."""
    if isinstance(value, tuple):
        names = [str(getattr(each, "name", None) or type(each).__name__) for each in value]
        return printable(", ".join(names) or "none", _SHOWN)
    return printable(str(value), _SHOWN)


def _shape(load: Load) -> Mapping[str, Any]:
    """What two loads must have in common; of totals, whether they are given."""
    shape: dict[str, Any] = {
        field.name: getattr(load, field.name)
        for field in fields(Load)
        if field.name not in {*_ADDED, "segments"}
    }
    shape |= {name: getattr(load, name) is not None for name in ("count", "rate")}
    return shape | {
        "segments": tuple(
            (one.seconds, one.to is None, one.slots is None, one.client, one.resumption)
            for one in load.segments
        )
    }


def _whole(plans: Sequence[Plan]) -> Plan:
    """The plan of all parts together: totals are added, the rest is that of the first."""
    first = plans[0]
    added = {name: _sum(getattr(plan.load, name) for plan in plans) for name in _ADDED}
    segments = tuple(
        replace(
            same[0],
            rate=sum(one.rate for one in same),
            to=_sum(one.to for one in same),
            slots=_sum(one.slots for one in same),
        )
        for same in zip(*(plan.load.segments for plan in plans), strict=True)
    )
    return replace(
        first,
        addresses=tuple(_distinct(address for plan in plans for address in plan.addresses)),
        sources=tuple(dict.fromkeys(source for plan in plans for source in plan.sources)),
        load=replace(first.load, segments=segments, **added),
        notes=tuple(dict.fromkeys(note for plan in plans for note in plan.notes)),
        authorized=next((plan.authorized for plan in plans if plan.authorized), None),
    )


def _sum(values: Iterator[Any]) -> Any:
    """The sum; None where one is None."""
    found = list(values)
    return None if None in found else sum(found)


def _distinct(values: Iterator[_T]) -> list[_T]:
    return list(dict.fromkeys(values))


def _ending(files: Sequence[_File], addresses: Sequence[Address], reasons: Sequence[str]) -> RunEnd:
    """The end mark of all parts together.

    A part that was lost makes nothing else invalid; it is named.
    """
    facts = [file.facts for file in files]
    ends = {one.end for one in facts}
    if End.INTERRUPTED in ends or ends == {End.UNFINISHED}:
        end = End.INTERRUPTED
    else:
        end = End.STOPPED if End.STOPPED in ends else End.COMPLETED
    lags = [one.lag_p99_ns for one in facts if one.lag_p99_ns is not None]
    logs = [one.joined for one in facts if one.joined is not None]
    return RunEnd(
        end=end,
        ended_ns=max(
            (one.ended_ns or one.last_ns or one.started_ns) - f.ahead_ns
            for f, one in zip(files, facts, strict=True)
        ),
        started=sum(one.started for one in facts),
        reasons=tuple(reasons),
        invalid=all(one.invalid for one in facts),
        lag_p99_ns=max(lags, default=None),
        stood_ns=min(one.stood_ns for one in facts),
        joined=reduce(_both, logs) if logs else None,
        matrix=_matrix(files, addresses),
    )


def _matrix(files: Sequence[_File], addresses: Sequence[Address]) -> ResumptionMatrix | None:
    """The connections of each machine, one machine after the other; None: none offered sessions.

    A session is offered by the machine that was given it, so what they saw adds up. How long it
    is good differs by TLS version, so only the commonest version is kept (`_reasons` tells).
    """
    version, probes = _version(files), list[Probe]()
    for file in files:
        found = file.facts.matrix
        if found is None or found.tls_version != version:
            continue
        begin, own = len(probes), file.addresses
        probes += (
            replace(
                probe,
                # A damaged file may name an address that is not there.
                address=addresses.index(own[probe.address]) if probe.address < len(own) else 0,
                offered=None if probe.offered is None else probe.offered + begin,
            )
            for probe in found.probes
        )
    return None if version is None else ResumptionMatrix(version, tuple(probes))


def _version(files: Sequence[_File]) -> int | None:
    """The TLS version in which most connections offered sessions, of two the lower; None: none."""
    counts = Counter[int]()
    for one in files:
        if one.facts.matrix is not None:
            counts[one.facts.matrix.tls_version] += len(one.facts.matrix.probes)
    return min(counts, key=lambda version: (-counts[version], version), default=None)


def _reasons(files: Sequence[_File], told_once: Sequence[str]) -> list[str]:
    """What is to be told once; the doubts about each part, with its name; what comes of all."""
    version = _version(files)
    places = {(one.host, one.networks) for file in files for one in file.vantages}
    by_start = sorted((one for file in files for one in file.vantages), key=_start)
    vantages = {one.name: one for one in by_start}
    told = {*told_once, *(each for file in files if file.merged for each in file.facts.reasons)}
    found = list(told_once)
    for file in files:
        name = ", ".join(one.name for one in file.vantages)
        for reason in file.facts.reasons:
            own = reason.removeprefix(f"{name}: ")
            lost, was_lost, _ = reason.partition(WAS_LOST)
            if was_lost and lost in vantages:
                found.append(f"{lost} was lost in the run, and its file was added later")
            elif not (
                (own in told and not file.merged)
                or own in told_once
                or (own.startswith(ONE_SOURCE) and len(places) > 1)
                or reason.startswith(_ANSWERS)
            ):
                found.append(reason if file.merged else f"{name}: {reason}")
        matrix = file.facts.matrix
        if matrix is not None and matrix.tls_version != version:
            found.append(
                f"{name}: its sessions are of another TLS version and left out of the groups"
            )
        if file.facts.end is End.UNFINISHED:
            found.append(f"{name}: its run has no end mark, so it died or was still running")
    if len({one.answers for one in by_start}) > 1:
        answers = [
            f"{name} {', '.join(one.answers[:3]) or 'none'}" for name, one in vantages.items()
        ]
        found.append(f"{_ANSWERS}: {'; '.join(answers[:4])}")
    if len({file.run.meta.get("anchors_sha256") for file in files}) > 1:
        found.append(
            "the trust stores of the machines differ, and so may their verdicts on one chain"
        )
    return list(dict.fromkeys(found))


_ANSWERS = "DNS answers differ by vantage"


def _both(one: JoinedLog, other: JoinedLog) -> JoinedLog:
    """What both logs joined."""
    return JoinedLog(
        tuple(dict.fromkeys((*one.files, *other.files))),
        one.format,
        one.by_time or other.by_time,
        one.joined + other.joined,
        one.ambiguous + other.ambiguous,
        one.unmatched + other.unmatched,
        max(one.offset_ns, other.offset_ns, key=abs),
        max(one.spread_ns, other.spread_ns),
    )
