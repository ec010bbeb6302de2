"""The root stores of client families by version, and known intermediates: one indexed file.

A client trusts a name and a key. For each of them the file says which versions of a family's store
have it, and since when a version refuses young leaves below it: those issued after a day (NSS,
Java), or those whose SCTs are all later than a moment (Chrome). Versions are those that were looked
at, oldest first, and are known by their place in that order. Intermediates that Chrome trusts as
anchors have such versions, too.

The file is SQLite: certificates are compressed in blocks of some dozen, and found by the hash of
their subject, so that reading what one chain needs unpacks a few blocks. `scripts/root_stores.py`
renews it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Self

from stress.errors import UsageError
from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.reading.extension import NormalName, organizations

_APPLICATION_ID = 0x544C5352
"""What SQLite's header says about whose file it is ("TLSR")."""
_FORMAT = 1
_IN_BLOCK = 24
_SCHEMA = """
CREATE TABLE about (made TEXT NOT NULL); -- day of the data, YYYY-MM-DD
CREATE TABLE version ( -- a version of a family's store that was looked at
  family TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (family, place)
) WITHOUT ROWID;
CREATE TABLE organization (name TEXT PRIMARY KEY) WITHOUT ROWID; -- O of the subjects, folded
CREATE TABLE block (id INTEGER PRIMARY KEY, data BLOB NOT NULL); -- zlib: certificates in a row
CREATE TABLE certificate (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  subject BLOB NOT NULL,     -- start of the hash of the subject's name
  root INTEGER NOT NULL,     -- 1: of a root store, 0: a known intermediate
  revoked INTEGER NOT NULL,  -- 1: by its issuer
  block INTEGER NOT NULL REFERENCES block,
  start INTEGER NOT NULL,    -- in the unpacked block
  length INTEGER NOT NULL
);
CREATE TABLE span ( -- versions that trust a name and key
  certificate INTEGER NOT NULL REFERENCES certificate,
  family TEXT NOT NULL,
  since INTEGER NOT NULL,    -- place of the first version
  until INTEGER NOT NULL,    -- place after the last version
  rule TEXT NOT NULL,        -- which leaves are refused: none (empty), issued, sct
  after INTEGER NOT NULL,    -- those of later than this, Unix seconds
  PRIMARY KEY (certificate, family, since)
) WITHOUT ROWID;
"""


class Distrust(StrEnum):
    """Which leaves below a root that is still in the store are refused."""

    NONE = ""
    ISSUED = "issued"
    """Those issued (notBefore) after a moment."""
    TIMESTAMPS = "sct"
    """Those without any SCT up to a moment."""


@dataclass(frozen=True, slots=True)
class Span:
    """Versions of a family's store that have a root, and the rule under which they trust it."""

    since: int
    """Place of the first version."""
    until: int
    """Place after the last."""
    rule: Distrust = Distrust.NONE
    after: int = 0
    """Unix seconds."""

    def refuses(self, issued: int, timestamps: Sequence[int]) -> bool:
        """Whether the rule is against a leaf.

        Args:
            issued: its notBefore, Unix seconds.
            timestamps: times of its SCTs; a leaf without any is refused for having none.
        """
        if self.rule is Distrust.TIMESTAMPS:
            return bool(timestamps) and min(timestamps) > self.after
        return self.rule is Distrust.ISSUED and issued > self.after


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A root, or a known intermediate."""

    facts: CertificateFacts
    spans: Mapping[str, tuple[Span, ...]]
    """By family. Of an intermediate: where it is an anchor."""
    root: bool = True
    revoked: bool = False
    """By its issuer."""

    def at(self, family: str, place: int) -> Span | None:
        """The span that holds a version of a family's store."""
        held = self.spans.get(family, ())
        return next((one for one in held if one.since <= place < one.until), None)


class Stores:
    """Reads one such file.

    Args:
        file: as written by `StoresWriter`.

    Raises:
        UsageError: it is another kind of file, or cannot be read.
    """

    FILE: ClassVar = "stores.db"

    def __init__(self, file: Path) -> None:
        self._address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        self._named: dict[NormalName, tuple[StoredCertificate, ...]] = {}
        try:
            with closing(self._connect()) as connection:
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                (number,) = connection.execute("PRAGMA user_version").fetchone()
                if (application, number) != (_APPLICATION_ID, _FORMAT):
                    raise UsageError(f"{file} holds no root stores of this version of tls-stress")
                found = connection.execute("SELECT family, name FROM version ORDER BY 1, place")
                versions = defaultdict[str, list[str]](list)
                for family, name in found:
                    versions[family].append(name)
                self.organizations = frozenset(
                    name for (name,) in connection.execute("SELECT name FROM organization")
                )
                self._subjects = frozenset(
                    key for (key,) in connection.execute("SELECT subject FROM certificate")
                )
                self._revoked = frozenset(
                    digest
                    for (digest,) in connection.execute(
                        "SELECT sha256 FROM certificate WHERE revoked"
                    )
                )
                (self.made,) = connection.execute("SELECT made FROM about").fetchone()
        except sqlite3.Error as error:
            raise UsageError(f"cannot read the root stores {file}: {error}") from error
        self.versions: Mapping[str, Sequence[str]] = versions

    def named(self, name: NormalName) -> tuple[StoredCertificate, ...]:
        """Every certificate of a subject."""
        if _key(name) not in self._subjects:
            return ()
        if name not in self._named:
            found = self._read("subject", _key(name))
            self._named[name] = tuple(one for one in found if one.facts.subject_name.normal == name)
        return self._named[name]

    def by_digest(self, digest: bytes) -> StoredCertificate | None:
        """The certificate of a SHA-256; None: it is not here."""
        return next(iter(self._read("sha256", digest)), None)

    def revoked(self, digest: bytes) -> bool:
        """Whether a certificate of this SHA-256 is known to be revoked."""
        return digest in self._revoked

    def reachable(self, names: Iterable[NormalName]) -> Iterator[StoredCertificate]:
        """Every certificate of these subjects, of those that issued them, and so on."""
        waiting, seen = list(names), set[NormalName]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for one in self.named(name):
                yield one
                waiting.append(one.facts.issuer_name.normal)

    def stand_in(self, roots: Mapping[bytes, bytes], file: Path) -> None:
        """Write stores in which other certificates have the places of known roots.

        Args:
            roots: DER of each certificate -> SHA-256 of the root whose place it takes.
            file: is written.

        Raises:
            KeyError: no root has such a hash.
        """
        writer = StoresWriter(self.made)
        for family, names in self.versions.items():
            writer.family(family, names)
        for der, digest in roots.items():
            found = self.by_digest(digest)
            if found is None:
                raise KeyError(digest.hex())
            writer.add(replace(found, facts=describe(der)))
        writer.write(file)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._address, uri=True)

    def _read(self, column: str, value: bytes) -> list[StoredCertificate]:
        found = []
        with closing(self._connect()) as connection:
            for number, root, revoked, start, length, packed in connection.execute(
                "SELECT certificate.id, root, revoked, start, length, data FROM certificate "  # noqa: S608 - our names
                f"JOIN block ON block.id = block WHERE {column} = ? ORDER BY certificate.id",
                (value,),
            ).fetchall():
                spans = defaultdict[str, tuple[Span, ...]](tuple)
                for family, since, until, rule, after in connection.execute(
                    "SELECT family, since, until, rule, after FROM span WHERE certificate = ? "
                    "ORDER BY family, since",
                    (number,),
                ):
                    spans[family] += (Span(since, until, Distrust(rule), after),)
                facts = describe(zlib.decompress(packed)[start : start + length])
                found.append(StoredCertificate(facts, dict(spans), bool(root), bool(revoked)))
        return found


@cache
def open_stores(file: Path | None = None) -> Stores:
    """The root stores in a file; None: those of this package.

    Raises:
        UsageError: it is another kind of file, or cannot be read.
    """
    return Stores(file or Path(str(files("stress.trust") / Stores.FILE)))


def _key(name: NormalName) -> bytes:
    return sha256(repr(name).encode()).digest()[:8]


class StoresWriter:
    """Collects what goes into such a file, and writes it.

    Args:
        made: day of the data.
    """

    def __init__(self, made: str) -> None:
        self._made = made
        self._versions: list[tuple[str, int, str]] = []
        self._certificates: list[StoredCertificate] = []

    def family(self, name: str, versions: Iterable[str]) -> Self:
        """Add the versions of one family's store, oldest first."""
        self._versions += [(name, place, one) for place, one in enumerate(versions)]
        return self

    def add(self, one: StoredCertificate) -> Self:
        """Add a root, one for each name and key, or an intermediate."""
        self._certificates.append(one)
        return self

    def write(self, file: Path) -> None:
        """Write the file; what was there is replaced."""
        file.unlink(missing_ok=True)
        # Neighbours have much in common, which makes their block small.
        ordered = sorted(
            self._certificates,
            key=lambda one: (one.facts.issuer, one.facts.subject, one.facts.sha256),
        )
        blocks, rows, spans = [], [], []
        for begin in range(0, len(ordered), _IN_BLOCK):
            block, start = ordered[begin : begin + _IN_BLOCK], 0
            for number, one in enumerate(block, begin):
                facts, length = one.facts, len(one.facts.der)
                name = _key(facts.subject_name.normal)
                place = begin // _IN_BLOCK, start, length
                rows.append((number, facts.sha256, name, one.root, one.revoked, *place))
                spans += [
                    (number, family, each.since, each.until, each.rule.value, each.after)
                    for family, held in one.spans.items()
                    for each in held
                ]
                start += length
            packed = zlib.compress(b"".join(one.facts.der for one in block), 9)
            blocks.append((begin // _IN_BLOCK, packed))
        names = {name for one in ordered for name in organizations(one.facts.subject_name.normal)}
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.executescript(
                f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_FORMAT};"
                f"{_SCHEMA}"
            )
            connection.execute("INSERT INTO about VALUES (?)", (self._made,))
            connection.executemany("INSERT INTO version VALUES (?, ?, ?)", self._versions)
            found = [(name,) for name in sorted(names)]
            connection.executemany("INSERT INTO organization VALUES (?)", found)
            connection.executemany("INSERT INTO block VALUES (?, ?)", blocks)
            connection.executemany("INSERT INTO certificate VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT INTO span VALUES (?, ?, ?, ?, ?, ?)", spans)
            connection.execute("CREATE INDEX certificate_subject ON certificate (subject)")
