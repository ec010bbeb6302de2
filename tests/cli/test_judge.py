"""`tls-stress judge`: a chain in files, without a network."""

from __future__ import annotations

import io
import json
import ssl
import sys
from pathlib import Path

import pytest

from stress.trust import open_stores
from stress.trust.anchors import certificates_of
from tests.cli.conftest import Ask
from tests.trust.certificates import AT, HOST, authorities
from tests.trust.defects import good

AS_OF = ("--at", str(AT))


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    file.write_text(authorities().root.pem)
    return file


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    file = tmp_path / "chain.pem"
    file.write_text("".join(map(ssl.DER_cert_to_PEM_cert, good())))
    return file


def test_a_good_chain_exits_0_and_a_cut_one_1(ask: Ask, ca: Path, sent: Path) -> None:
    alone = sent.with_name("leaf.der")
    alone.write_bytes(good()[0])

    accepted = ask("judge", sent, "--host", HOST, "--ca", ca, *AS_OF)
    refused = ask("judge", alone, "--host", HOST, "--ca", ca, *AS_OF, "--json")

    assert (accepted.code, refused.code) == (0, 1)
    assert "refuses" not in accepted.out
    families = json.loads(refused.out)["families"]
    assert {"apple", "android", "chrome", "firefox", "java", "go", "openssl"} <= set(families)
    assert {one["verdict"] for one in families.values()} == {"refuses"}


def test_files_are_read_in_the_order_given_and_standard_input_too(
    ask: Ask, ca: Path, sent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sent.parent
    ders = certificates_of(sent.read_bytes(), "")
    for name, der in zip(("leaf.der", "issuer.der"), ders, strict=True):
        (folder / name).write_bytes(der)
    (folder / "both.der").write_bytes(b"".join(ders))
    words = ("--host", HOST, "--ca", ca, *AS_OF, "--json")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sent.read_bytes())))

    answers = [
        ask("judge", folder / "leaf.der", folder / "issuer.der", *words),
        ask("judge", folder / "both.der", *words),
        ask("judge", "-", *words),
        ask("judge", sent, *words),
    ]

    assert {one.code for one in answers} == {0}
    assert len({one.out for one in answers}) == 1


def test_one_policy_is_asked_alone_and_any_stands_for_its_families(ask: Ask, sent: Path) -> None:
    one = ask("judge", sent, "--host", HOST, "--policy", "java", "--json")
    several = ask("judge", sent, "--host", HOST, "--policy", "any", "--json")

    assert list(json.loads(one.out)["families"]) == ["java"]
    assert "any" not in json.loads(several.out)["families"]
    assert one.code == several.code == 1


def test_another_root_store_decides(ask: Ask, sent: Path, tmp_path: Path) -> None:
    """The test root takes the place of GTS Root R1, which Android has since version 10."""
    names = ((("C", "us"),), (("O", "google trust services llc"),), (("CN", "gts root r1"),))
    (real,) = (one for one in open_stores().named(names) if one.root)
    open_stores().stand_in({authorities().root.der: real.facts.sha256}, tmp_path / "own.db")

    words = ("judge", sent, "--host", HOST, *AS_OF, "--stores", tmp_path / "own.db")
    answer = ask(*words, "--policy", "android", "--json")

    (family,) = json.loads(answer.out)["families"].values()
    assert family["verdict"] == "sometimes"
    assert family["findings"][0]["versions"] == "Android ≤ 9"
    assert "Fails on Android ≤ 9; accepted by newer ones." in ask(*words, "--policy", "android").out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "holds no certificate"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", "a private key, but no certificate"),
        (b"x\n-----BEGIN CERTIFICATE-----\nAA%\n-----END CERTIFICATE-----", "at line 2 of"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA", "cut off or not base64"),
        (b"0" * 4_000_001, "larger than 4 MB"),
    ],
)
def test_a_file_without_a_chain_exits_2_and_says_why(
    ask: Ask, tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "bad.pem"
    file.write_bytes(content)

    answer = ask("judge", file, "--host", HOST)

    assert (answer.code, answer.out) == (2, "")
    assert message in " ".join(answer.err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("missing.pem", "--host", HOST), "cannot read missing.pem"),
        (("missing.pem", "--host", "a b"), "--host"),
        (("missing.pem", "--host", HOST, "--policy", "none"), "judges nothing"),
        (("missing.pem",), "--host"),
    ],
)
def test_a_wrong_option_exits_2(ask: Ask, words: tuple[str, ...], message: str) -> None:
    answer = ask("judge", *words)

    assert answer.code == 2
    assert message in answer.err


def test_what_cannot_be_parsed_is_judged(ask: Ask, tmp_path: Path) -> None:
    file = tmp_path / "odd.der"
    file.write_bytes(b"\x30\x03\x02\x01\x01")

    answer = ask("judge", file, "--host", HOST, "--json")

    assert answer.code == 1
    families = json.loads(answer.out)["families"].values()
    assert {one["category"] for one in families} == {"malformed-certificate"}
