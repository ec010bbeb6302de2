"""What is written once: addresses, chains with their verdicts, attributes, details."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from hashlib import sha256
from operator import itemgetter

import msgspec

from stress.model.chain import Chain
from stress.model.outcome import Outcome, Side
from stress.model.record import Flag, Record
from stress.model.target import Address
from stress.model.verdict import Verdict
from stress.store.journal import Statement
from stress.store.schema import insert_into

_INTERNED_DETAILS = 10_000


def address_statements(index: int, address: Address) -> list[Statement]:
    """What makes an address known; the same index again replaces it."""
    row = (index, str(address), address.ip, address.port, address.label)
    return [("INSERT OR REPLACE INTO address VALUES (?, ?, ?, ?, ?)", [row])]


class Catalog:
    """Numbers chains, certificates, verdicts and details, and says how to write new ones."""

    def __init__(self) -> None:
        self._chains: dict[bytes, int] = {}
        self._certificates: dict[bytes, int] = {}
        self._verdicts: set[tuple[int, str, str, int]] = set()
        self._details: dict[str, int] = {}
        self._last_detail = 0

    def chain_statements(self, chain: Chain, verdicts: Sequence[Verdict]) -> list[Statement]:
        """What makes a chain and its verdicts known."""
        statements: list[Statement] = []
        digest = chain.sha256
        if digest not in self._chains:
            statements += self._new_chain(digest)
            statements += self._new_certificates(self._chains[digest], chain.certificates)
        for verdict in verdicts:
            statements += self._new_verdict(self._chains[digest], verdict)
        return statements

    def attribute_statements(self, number: int, record: Record) -> list[Statement]:
        """What makes the attribute of a record known under a number."""
        statements: list[Statement] = []
        if record.chain is not None and record.chain not in self._chains:
            # Announced by nobody: the row is kept all the same, with a chain of no certificates.
            statements += self._new_chain(record.chain)
        row = (
            number,
            record.address,
            record.source,
            record.client,
            record.outcome,
            Outcome.parse(record.outcome).side.value,
            record.stage,
            None if record.chain is None else self._chains[record.chain],
            record.tls_version,
            record.cipher,
            record.key_group,
            None if record.alpn is None else clean(record.alpn),
            record.resumed,
            record.segment,
            record.flags,
            None,  # first and last start: set with the counts
            None,
        )
        names = list(_names(record))
        return [
            *statements,
            (insert_into("attribute", 17), [row]),
            ("INSERT OR IGNORE INTO name VALUES (?, ?, ?)", names),
        ]

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

    def _new_certificates(self, chain: int, certificates: Sequence[bytes]) -> list[Statement]:
        fresh: list[tuple[object, ...]] = []
        links: list[tuple[object, ...]] = []
        for position, der in enumerate(certificates):
            digest = sha256(der).digest()
            number = self._certificates.get(digest)
            if number is None:
                number = self._certificates[digest] = len(self._certificates) + 1
                fresh.append((number, digest, der))
            links.append((chain, position, number))
        return [
            (insert_into("certificate", 3), fresh),
            (insert_into("chain_certificate", 3), links),
        ]

    def _new_verdict(self, chain: int, verdict: Verdict) -> list[Statement]:
        judged = (chain, verdict.policy, verdict.host, verdict.at)
        if judged in self._verdicts:
            return []
        self._verdicts.add(judged)
        number = len(self._verdicts)
        headline = verdict.headline
        row = (
            number,
            chain,
            verdict.policy,
            verdict.host,
            verdict.at,
            verdict.refusal.value,
            headline.category.value if headline else "ok",
            msgspec.json.encode(verdict.families).decode(),
        )
        findings = [
            (number, rank, f.category.value, f.position, clean(f.detail), f.refusal.value)
            for rank, f in enumerate(verdict.findings)
        ]
        return [(insert_into("verdict", 8), [row]), (insert_into("finding", 6), findings)]


def clean(text: str) -> str:
    """Text that can be stored: what cannot be encoded is replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _names(record: Record) -> list[tuple[object, ...]]:
    """Rows of `name` for the numbers that a record has."""
    from stress.handshake.names import (  # noqa: PLC0415 - its room is heavy, readers need it not
        cipher_name,
        group_name,
        version_name,
    )

    named = (
        ("tls_version", record.tls_version, version_name),
        ("cipher", record.cipher, cipher_name),
        ("key_group", record.key_group, group_name),
    )
    return [(kind, number, name(number)) for kind, number, name in named if number is not None]


# What many attempts share, interned: one number for each distinct combination.

_FIELDS = (
    "address",
    "source",
    "client",
    "outcome",
    "stage",
    "chain",
    "tls_version",
    "cipher",
    "key_group",
    "alpn",
    "resumed",
    "segment",
    "flags",
)
_KEY = itemgetter(*(Record._fields.index(field) for field in _FIELDS))


class Treatment(IntEnum):
    """How attempts with an attribute are counted."""

    LEFT_OUT = 0
    """Ours: in no count of ports and in no histogram."""
    GOOD = 1
    FAILED = 2
    """By the target's doing."""
    WAITED = 3
    """Not sent: its wait is a failure's total latency."""
    GOOD_WARMING = 4
    """Good, but during the warm-up: left out of latency."""
    FAILED_WARMING = 5

    @classmethod
    def of(cls, outcome: str, flags: int) -> Treatment:
        """How an outcome with these flags is counted.

        Raises:
            ValueError: the outcome is none of the contract's.
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


class Attributes:
    """Numbers combinations in the order of their first sight, from 0."""

    def __init__(self) -> None:
        self._ids: dict[tuple[object, ...], int] = {}
        self.treatments: list[Treatment] = []
        """How attempts are counted, by attribute."""
        self.fresh: list[tuple[int, Record]] = []
        """Attributes not yet written, each with a record that has it. Whoever writes them clears
        the list."""

    def number(self, records: Sequence[Record]) -> list[int]:
        """The attribute of each record."""
        keys = list(map(_KEY, records))
        try:
            return [self._ids[key] for key in keys]
        except KeyError:
            return [self._intern(key, record) for key, record in zip(keys, records, strict=True)]

    def _intern(self, key: tuple[object, ...], record: Record) -> int:
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self._ids)
            self.treatments.append(Treatment.of(record.outcome, record.flags))
            self.fresh.append((number, record))
        return number
