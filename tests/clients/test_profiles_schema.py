"""Editors check client profiles by the shipped JSON Schema, which says what the reader says."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

from scripts.reference import FOLDER, client_schema
from stress.clients.profiles import SCHEMA, clients, read_client
from stress.errors import UsageError
from stress.text.tomlfile import TomlFile, profiles_folder
from tests.schemas import fits


def test_the_shipped_schema_is_made_from_the_fields() -> None:
    shipped = resources.files("stress.clients").joinpath("client.schema.json").read_text()

    assert json.loads(shipped) == client_schema(), "run `make docs`"


@pytest.mark.parametrize("name", clients())
def test_every_shipped_client_fits_the_schema_that_it_names(name: str) -> None:
    file = TomlFile.read(profiles_folder() / "clients" / f"{name}.toml")

    assert file.text.startswith(f"#:schema {SCHEMA}\n")
    assert (FOLDER / SCHEMA.rpartition("/")[2]).is_file()
    assert fits(file.table, client_schema())


@pytest.mark.parametrize(
    "line",
    [
        'versions = ["TLS 9"]',
        "groups = [65536]",
        'groups = ["0x12345"]',
        'grease = "yes"',
        'stack = "schannel"',
        "weight = -1",
        'alpn = "h2"',
        'colour = "blue"',
    ],
)
def test_what_the_reader_refuses_does_not_fit(line: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(line)

    with pytest.raises(UsageError):
        read_client(path)
    assert not fits(TomlFile.read(path).table, client_schema())
