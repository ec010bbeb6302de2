"""The root stores that are shipped, and the file that holds them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.trust.reading.certificate import describe
from stress.trust.stores import Distrust, Span, StoredCertificate, Stores, StoresWriter
from stress.trust.stores import open_stores as shipped
from tests.trust.certificates import authorities

FILE = Path(str(files("stress.trust") / Stores.FILE))
MOST_BYTES = 1_500_000

pytestmark = pytest.mark.slow


@cache
def everything() -> list[StoredCertificate]:
    with closing(sqlite3.connect(f"{FILE.as_uri()}?mode=ro", uri=True)) as connection:
        subjects = connection.execute("SELECT sha256 FROM certificate").fetchall()
    found = [shipped().by_digest(digest) for (digest,) in subjects]
    return [one for one in found if one is not None]


def root(common_name: str) -> StoredCertificate:
    (found,) = (one for one in everything() if one.root and one.facts.common_name == common_name)
    return found


def day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def test_the_file_is_small_and_every_certificate_is_found_by_its_subject() -> None:
    stored = everything()

    assert FILE.stat().st_size < MOST_BYTES
    assert len(stored) > 1400
    assert [one for one in stored if one.facts.unreadable] == []
    assert [
        one for one in stored if one not in shipped().named(one.facts.subject_name.normal)
    ] == []


def test_roots_of_one_name_and_key_are_one() -> None:
    roots = [one.facts for one in everything() if one.root]

    assert len(roots) == len({(one.subject_name.normal, one.spki) for one in roots}) > 440


@pytest.mark.parametrize(
    ("name", "family", "before", "first"),
    [
        ("ISRG Root X2", "android", "13", "14"),
        ("ISRG Root X2", "apple", "15.3 (macOS 12.2)", "15.4 (macOS 12.3)"),
        ("ISRG Root X2", "java", "11.0.21", "11.0.22"),
        ("ISRG Root X2", "mozilla", "3.73.1", "3.74"),
        # Two certificates: alone, the newer one would look new in Android 14.
        ("GTS Root R1", "android", "9", "10"),
        ("Sectigo Public Server Authentication Root R46", "certifi", "2023.05.07", "2023.07.22"),
    ],
)
def test_a_root_is_in_a_store_from_a_version_on(
    name: str, family: str, before: str, first: str
) -> None:
    versions = shipped().versions[family]
    (span,) = root(name).spans[family]

    assert (versions[span.since - 1], versions[span.since]) == (before, first)
    assert span.until == len(versions)


@pytest.mark.parametrize(
    ("name", "family", "version", "rule", "after"),
    [
        ("Entrust Root Certification Authority - G2", "chrome", "131", "sct", "2024-11-11"),
        ("Entrust Root Certification Authority - G2", "mozilla", "3.107", "issued", "2024-11-30"),
        ("Entrust Root Certification Authority - G2", "java", "11.0.25", "issued", "2024-11-11"),
        ("AffirmTrust Commercial", "java", "11.0.25", "issued", "2024-11-11"),
        ("GeoTrust Global CA", "java", "11.0.3", "issued", "2019-04-16"),
        ("HiPKI Root CA - G1", "chrome", "139", "sct", "2025-07-31"),
        ("USERTrust RSA Certification Authority", "chrome", "153", "sct", "2026-09-30"),
    ],
)
def test_a_rule_refuses_young_leaves_from_a_version_on(
    name: str, family: str, version: str, rule: str, after: str
) -> None:
    place = shipped().versions[family].index(version)
    held, earlier = root(name).at(family, place), root(name).at(family, place - 1)

    assert held is not None
    assert (held.rule, day(held.after)) == (rule, after)
    assert earlier is not None
    assert earlier.rule is Distrust.NONE


def test_the_rule_of_a_span_looks_at_the_day_of_issue_or_at_the_oldest_timestamp() -> None:
    issued, timed = Span(0, 1, Distrust.ISSUED, 100), Span(0, 1, Distrust.TIMESTAMPS, 100)

    assert [issued.refuses(at, ()) for at in (100, 101)] == [False, True]
    assert [timed.refuses(999, times) for times in ((), (100, 200), (101, 200))] == [
        False,
        False,
        True,
    ]
    assert not Span(0, 1).refuses(999, (999,))


def test_chrome_has_fifteen_intermediates_as_anchors() -> None:
    newest = len(shipped().versions["chrome"]) - 1
    anchors = [one for one in everything() if not one.root and one.spans]

    names = "AE1 E7 E8 E9 R12 R13 R14 WE1 WE2 WE3 WE4 WR1 WR2 WR3 WR4"
    assert sorted(str(one.facts.common_name) for one in anchors) == names.split(" ")
    assert all(one.at("chrome", newest) for one in anchors)


def test_the_new_roots_of_lets_encrypt_are_in_no_store_and_their_revoked_cross_signs_known() -> (
    None
):
    named = {(one.facts.common_name, one.facts.sha256.hex()[:8]): one for one in everything()}

    assert not [
        one for (name, _), one in named.items() if name in {"Root YR", "Root YE"} and one.root
    ]
    for name, digest in (
        ("Root YR", "270c64b6"),
        ("Root YE", "2d7b5b42"),
        ("ISRG Root X2", "00beaef2"),
    ):
        assert shipped().revoked(named[name, digest].facts.sha256)
    for name, digest in (
        ("Root YR", "072639d0"),
        ("Root YE", "0fc0901c"),
        ("ISRG Root X2", "ee5f7abd"),
    ):
        assert not shipped().revoked(named[name, digest].facts.sha256)


def test_another_certificate_can_stand_in_for_a_root(tmp_path: Path) -> None:
    own, known = describe(authorities().root.der), root("ISRG Root X2")

    shipped().stand_in({own.der: known.facts.sha256}, tmp_path / "own.db")
    stores = Stores(tmp_path / "own.db")

    (found,) = stores.named(own.subject_name.normal)
    assert found == StoredCertificate(own, known.spans)
    assert stores.versions == shipped().versions
    assert stores.named(known.facts.subject_name.normal) == ()
    with pytest.raises(KeyError):
        shipped().stand_in({own.der: bytes(32)}, tmp_path / "other.db")


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 no more", b"-----BEGIN"])
def test_another_file_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "wrong.db"
    file.write_bytes(content)

    with pytest.raises(UsageError, match=r"wrong\.db"):
        Stores(file)
    with pytest.raises(UsageError, match=r"none\.db"):
        Stores(tmp_path / "none.db")


def test_the_same_content_makes_the_same_file(tmp_path: Path) -> None:
    facts = describe(authorities().root.der)
    for name in ("one.db", "two.db"):
        writer = StoresWriter("2026-11-29").family("android", ["16", "17"])
        writer.add(StoredCertificate(facts, {"android": (Span(1, 2),)})).write(tmp_path / name)

    assert (tmp_path / "one.db").read_bytes() == (tmp_path / "two.db").read_bytes()
