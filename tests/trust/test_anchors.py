from __future__ import annotations

from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.trust import Anchors, load_anchors
from stress.trust.anchors import first_store
from stress.trust.reading.certificate import describe
from tests.trust.certificates import authorities


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "anchors.pem"


def test_the_users_file_replaces_the_anchors_and_is_private(file: Path) -> None:
    a = authorities()
    file.write_text(f"# my roots\n{a.root.pem}\n{a.rsa_root.pem}{a.root.pem}", encoding="utf-8")

    anchors = load_anchors(file)

    assert anchors == Anchors((a.root.der, a.rsa_root.der), str(file), private=True)
    assert anchors.known_publicly() == frozenset()


def test_without_a_file_there_is_a_store_of_public_roots() -> None:
    anchors = load_anchors(None)

    assert anchors.source in {"system", "certifi"}
    assert not anchors.private
    assert len(anchors.certificates) > 50
    assert len(anchors.known_publicly()) > 50


def test_a_companys_own_root_in_the_system_store_is_not_publicly_known() -> None:
    own = authorities().root.der
    system = load_anchors(None)

    anchors = Anchors((*system.certificates, own), "system", private=False)

    assert describe(own).sha256 not in anchors.known_publicly()
    assert describe(own).sha256 in Anchors((own,), "certifi", private=False).known_publicly()


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"", "is empty", "BEGIN CERTIFICATE"),
        (b" \n", "is empty", "BEGIN CERTIFICATE"),
        (b"hello\nworld", "line 1 is 'hello'", "BEGIN CERTIFICATE"),
        (b"\x30\x82\x01\x00", "is not PEM", "openssl x509 -inform der"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", "holds a private key", "BEGIN CERTIFICATE"),
        (
            b"one\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "the certificate at line 2",
            "export it again",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n",
            "PEM is broken",
            "export",
        ),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n", "PEM is broken", "export"),
        (
            b"-----BEGIN CERTIFICATE-----\nAA\n-----BEGIN CERTIFICATE-----\nAAAA\n",
            "at line 1",
            "export",
        ),
    ],
)
def test_a_bad_file_says_what_it_is_and_where(
    file: Path, content: bytes, message: str, hint: str
) -> None:
    file.write_bytes(content)

    with pytest.raises(UsageError) as caught:
        load_anchors(file)

    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert str(file) in caught.value.message


@pytest.mark.parametrize("name", ["missing.pem", ""])
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot read the trust anchors"):
        load_anchors(tmp_path / name)


def test_the_first_store_that_has_anything_counts(tmp_path: Path) -> None:
    empty, broken, good = (tmp_path / name for name in ("a", "b", "c"))
    empty.write_text("", encoding="utf-8")
    pem = authorities().root.pem
    broken.write_text(pem[:80] + "\n-----END CERTIFICATE-----\n", encoding="utf-8")
    good.write_text(pem + pem, encoding="utf-8")

    assert first_store([tmp_path / "none", empty, broken, good]) == (authorities().root.der,)
    assert first_store([empty, broken]) == ()
