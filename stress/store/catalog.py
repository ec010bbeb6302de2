"""Make the statements of a run file, and keep them until they are committed.

`Catalog` and `Groups` number what is written once (chains with their verdicts, groups of attempts,
details), `Journal` executes statements. A full disk, a lock or a deleted file loses nothing: what
was written since the last commit is kept, and written again before anything new once the problem is
solved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from stress.errors import RecordError
from stress.model.attributes import SHARED
from stress.model.chain import Chain, Verdict
from stress.model.outcome import Outcome, Side
from stress.model.record import Flag, Record
from stress.store.schema import insert_into

Statement = tuple[str, Sequence[Sequence[object]]]
"""SQL, and rows of values for it."""

_TOGETHER = 50
"""Rows of one INSERT: one by one they take half as long again."""


def insert_many(table: str, row: str, values: Sequence[object], end: str = "") -> list[Statement]:
    """Statements that insert rows, many at once.

    Args:
        table: into which.
        row: the text for one row in parentheses, with a `?` for each value.
        values: those of one row after those of the other.
        end: what follows the rows.
    """
    begin, width = f"INSERT INTO {table} VALUES", row.count("?")
    step = _TOGETHER * width
    whole = len(values) // step * step
    return [
        (
            f"{begin} {', '.join([row] * (length // width))} {end}",
            [values[at : at + length] for at in range(first, last, length)],
        )
        for first, last, length in ((0, whole, step), (whole, len(values), width))
    ]


_WHY = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space; what was committed is kept"),
    sqlite3.SQLITE_READONLY: ("it has become read-only", "make it writable again"),
    sqlite3.SQLITE_BUSY: ("another program holds a lock on it", "close what has it open"),
    sqlite3.SQLITE_LOCKED: ("another program holds a lock on it", "close what has it open"),
    sqlite3.SQLITE_IOERR: ("the system refused to write", "is the disk full or a quota reached?"),
    sqlite3.SQLITE_CORRUPT: ("another program changed it", "let no other program write to it"),
    sqlite3.SQLITE_NOTADB: ("another program changed it", "let no other program write to it"),
}


class Journal:
    """Executes statements in one transaction after another.

    Args:
        path: where the file is; it must lead to the same file at every commit.
        connection: in autocommit mode, the schema in place.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._identity = _identity(path)
        self._kept: list[Statement] = []
        self._broken = False

    def write(self, statements: Sequence[Statement]) -> None:
        """Execute statements; they are durable after the next commit.

        Raises:
            RecordError: it failed; the statements are kept and executed again with the next.
        """
        self._kept.extend(statements)
        self._execute(self._kept if self._broken else statements)

    def commit(self) -> None:
        """Make everything written so far durable.

        Raises:
            RecordError: it failed; everything since the last commit is kept.
        """
        if self._broken:
            self._execute(self._kept)
        if _identity(self._path) != self._identity:
            raise RecordError(
                f"the run file {self._path.name} was deleted or replaced while it was written",
                "leave the file in its place until the run has ended",
            )
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failure(error) from error
        self._kept.clear()

    def trust_the_machine(self) -> None:
        """Write each page once, and at once: a crash of the machine leaves a damaged file."""
        with suppress(sqlite3.Error):
            for pragma in ("journal_mode = MEMORY", "synchronous = OFF"):
                self._connection.execute(f"PRAGMA {pragma}").fetchone()

    def fill_pages(self) -> None:
        """Write the file anew without gaps, as far as there is room to do so."""
        with suppress(sqlite3.Error):
            self._connection.execute("VACUUM")

    def close(self) -> None:
        """Close the file; what was not committed is lost.

        The log is folded into the file. While readers have it open, the last to close does it.
        """
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        self._connection.close()

    def _execute(self, statements: Sequence[Statement]) -> None:
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._failure(error) from error
        except BaseException:
            # Interrupted in the middle, by Ctrl-C for instance: half a batch must not be committed.
            self._give_up()
            raise
        self._broken = False

    def _failure(self, error: sqlite3.Error) -> RecordError:
        """Roll the transaction back, and explain the error."""
        self._give_up()
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            # We waited once. Waiting again with each batch would delay the end of the run.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA busy_timeout = 0")
        why, hint = _WHY.get(code, (str(error), None))
        return RecordError(f"could not write to the run file {self._path.name}: {why}", hint)

    def _give_up(self) -> None:
        """Roll back; what is kept must be executed again."""
        self._broken = True
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to, None when to none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


_INTERNED_DETAILS = 10_000


def clean(text: str) -> str:
    """Text that can be stored: what cannot be encoded is replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


GROUP_FIELDS = tuple(each.name for each in SHARED)
group_of = itemgetter(*map(Record._fields.index, GROUP_FIELDS))
"""The shared attributes of a record."""


class Treatment(IntEnum):
    """How the attempts of a group are counted."""

    LEFT_OUT = 0
    """Ours: in no count of ports and in no histogram."""
    GOOD = 1
    FAILED = 2
    """A failure of the target."""
    WAITED = 3
    """Not sent: its wait is a failure's total latency."""
    GOOD_WARMING = 4
    """Good, but during the warm-up: left out of latency."""
    FAILED_WARMING = 5

    @classmethod
    def of(cls, outcome: str, flags: int) -> Treatment:
        """How an outcome with these flags is counted.

        Raises:
            ValueError: the outcome is not one of the contract.
        """
        side = Outcome.parse(outcome).side
        if side is Side.OURS:
            return cls.LEFT_OUT
        if side is Side.NOT_SENT:
            return cls.LEFT_OUT if flags & Flag.WARM_UP else cls.WAITED
        good = side is Side.NOBODY
        if flags & Flag.WARM_UP:
            return cls.GOOD_WARMING if good else cls.FAILED_WARMING
        return cls.GOOD if good else cls.FAILED


FAILURES = frozenset({Treatment.FAILED, Treatment.FAILED_WARMING})
"""Treatments of failures of the target."""


class Catalog:
    """Numbers groups, chains, certificates, verdicts and details; gives statements for new ones.

    Groups are numbered from 0, in the order first seen; all else from 1.
    """

    def __init__(self) -> None:
        self.treatments: list[Treatment] = []
        """How attempts are counted, by group."""
        self._groups: dict[tuple[object, ...], int] = {}
        self._chains: dict[bytes, int] = {}
        self._certificates: dict[bytes, int] = {}
        self._verdicts: set[tuple[int, str, str, int]] = set()
        self._details: dict[str, int] = {}
        self._last_detail = 0

    def chain_statements(self, chain: Chain, verdicts: Sequence[Verdict]) -> list[Statement]:
        """Store a chain and its verdicts, as far as they are new."""
        statements: list[Statement] = []
        digest = chain.sha256
        if digest not in self._chains:
            statements += self._new_chain(digest)
            fresh: list[tuple[object, ...]] = []
            links: list[tuple[object, ...]] = []
            for position, der in enumerate(chain.certificates):
                fingerprint = sha256(der).digest()
                number = self._certificates.get(fingerprint)
                if number is None:
                    number = self._certificates[fingerprint] = len(self._certificates) + 1
                    fresh.append((number, fingerprint, der))
                links.append((self._chains[digest], position, number))
            statements.append((insert_into("certificate", 3), fresh))
            statements.append((insert_into("chain_certificate", 3), links))
        for verdict in verdicts:
            about = (self._chains[digest], verdict.policy, verdict.host, verdict.at)
            if about in self._verdicts:
                continue
            self._verdicts.add(about)
            number, headline = len(self._verdicts), verdict.headline
            row = (
                number,
                *about,
                verdict.refusal.value,
                headline.category.value if headline else "ok",
                msgspec.json.encode(verdict.families).decode(),
            )
            findings = [
                (
                    number,
                    rank,
                    f.category.value,
                    f.position,
                    clean(f.detail),
                    f.refusal.value,
                    clean(f.versions),
                )
                for rank, f in enumerate(verdict.findings)
            ]
            statements.append((insert_into("verdict", 8), [row]))
            statements.append((insert_into("finding", 7), findings))
        return statements

    def groups(self, records: Sequence[Record]) -> tuple[list[int], list[Statement]]:
        """Return the group of each record, and statements that store the new ones."""
        keys, known = list(map(group_of, records)), self._groups
        statements: list[Statement] = []
        with suppress(KeyError):
            return [known[key] for key in keys], statements
        from stress.codes.names import NAMES  # noqa: PLC0415 - a table that readers do without

        rows, names = list[tuple[object, ...]](), dict[tuple[object, ...], None]()
        for key, record in zip(keys, records, strict=True):
            if key in known:
                continue
            if record.chain is not None and record.chain not in self._chains:
                # No chain was announced: the row is kept all the same, with an empty chain.
                statements += self._new_chain(record.chain)
            values: dict[str, Any] = dict(zip(GROUP_FIELDS, key, strict=True))
            for kind, name in NAMES.items():
                if values[kind] is not None:
                    names[kind, values[kind], name(values[kind])] = None
            if record.chain is not None:
                values["chain"] = self._chains[record.chain]
            texts = (clean(one) if isinstance(one, str) else one for one in values.values())
            side = Outcome.parse(record.outcome).side.value
            # First and last start are set with the counts.
            rows.append((len(known), *texts, side, None, None))
            self.treatments.append(Treatment.of(record.outcome, record.flags))
            known[key] = len(known)
        statements.append((insert_into("attempt_group", len(GROUP_FIELDS) + 4), rows))
        statements.append(("INSERT OR IGNORE INTO name VALUES (?, ?, ?)", list(names)))
        return [known[key] for key in keys], statements

    def detail(self, text: str, fresh: list[tuple[object, ...]]) -> int:
        """The number of a detail; a row for `detail` is added to `fresh` when it is new."""
        number = self._details.get(text)
        if number is None:
            self._last_detail += 1
            number = self._last_detail
            fresh.append((number, clean(text)))
            if len(self._details) < _INTERNED_DETAILS:
                self._details[text] = number
        return number

    def _new_chain(self, digest: bytes) -> list[Statement]:
        number = self._chains[digest] = len(self._chains) + 1
        return [(insert_into("chain", 2), [(number, digest)])]
