"""A client that is written down is read back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.clients.profiles import client_toml, clients, read_client
from stress.model.client import Client

numbers = st.lists(st.integers(0, 0xFFFF), max_size=12).map(tuple)
texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=40)
CLIENTS = st.builds(
    Client,
    name=texts,
    title=texts,
    versions=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=4).map(tuple),
    cipher_suites=numbers,
    groups=numbers,
    key_shares=numbers,
    signature_algorithms=numbers,
    alpn=st.lists(texts, max_size=3).map(tuple),
    extensions=numbers,
    compress_certificate=st.lists(texts, max_size=2).map(tuple),
    grease=st.booleans(),
    server_name=st.booleans(),
    session_tickets=st.booleans(),
    policy=texts,
    cannot_express=st.lists(texts, max_size=3).map(tuple),
)


def read_back(text: str) -> Client:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "some.toml"
        file.write_text(text)
        return read_client(file)


@pytest.mark.slow
@given(CLIENTS, st.text(st.characters(codec="ascii"), max_size=300))
def test_any_client_survives(client: Client, comment: str) -> None:
    safe = "".join(each for each in comment if each.isprintable() or each == "\n")

    assert read_back(client_toml(client, safe)) == client


@pytest.mark.parametrize("name", clients())
def test_each_shipped_client_survives(name: str) -> None:
    client = clients()[name]

    assert read_back(client_toml(client, "As shipped.")) == client


def test_names_are_written_where_they_are_known() -> None:
    text = client_toml(replace(clients()["mlkem"], extensions=(0, 0x1234)), "One.\nTwo.")

    assert text.startswith("# One.\n# Two.\n\nname = ")
    assert 'groups = ["X25519MLKEM768", "x25519", "secp256r1", "secp384r1"]' in text
    assert 'extensions = ["server_name", "0x1234"]' in text
    assert max(map(len, text.splitlines())) <= 100


def test_what_toml_could_not_hold_is_escaped() -> None:
    assert 'title = "a\\\\x00b\\\\xe9"' in client_toml(Client("x", title="a\0b\xe9"), "")
