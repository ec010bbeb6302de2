from __future__ import annotations

from pathlib import Path

import pytest

from stress.dialogues.proxies import IN_VARIABLE, VARIABLE, ProxyCredentials, read_credentials
from stress.errors import UsageError


@pytest.mark.parametrize(
    ("text", "header", "user", "password"),
    [
        ("jane:a b:c\n", "Basic amFuZTphIGI6Yw==", b"jane", b"a b:c"),
        ("Basic amFuZTp4", "Basic amFuZTp4", b"jane", b"x"),
        ("Bearer abc", "Bearer abc", b"", b""),
        ("jane:", "Basic amFuZTo=", b"jane", b""),
    ],
)
def test_credentials_have_two_forms(text: str, header: str, user: bytes, password: bytes) -> None:
    one = ProxyCredentials.parse(text)

    assert (one.header, one.user, one.password) == (header, user, password)
    assert "jane" not in repr(one)


@pytest.mark.parametrize("text", ["", "jane", "Basic a", "a:b\nX: y", f"{'x' * 256}:"])
def test_other_credentials_are_refused_unsaid(text: str) -> None:
    with pytest.raises(ValueError, match="holds") as caught:
        ProxyCredentials.parse(text)

    assert not text or text not in str(caught.value)


def test_they_are_read_from_a_file_or_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "jane:x")
    (tmp_path / "one").write_text("\ufeffjane:y\n")

    assert read_credentials(None) is None
    assert read_credentials(IN_VARIABLE) == ProxyCredentials.parse("jane:x")
    assert read_credentials(str(tmp_path / "one")) == ProxyCredentials.parse("jane:y")


@pytest.mark.parametrize(
    ("data", "message"), [(None, "cannot be read"), (b"\xff\xfe", "is not text"), (b"", "holds")]
)
def test_a_file_without_credentials_is_named(
    data: bytes | None, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if data is not None:
        file.write_bytes(data)

    with pytest.raises(UsageError, match=message) as caught:
        read_credentials(str(file))

    assert "--proxy-authorization" in caught.value.message
