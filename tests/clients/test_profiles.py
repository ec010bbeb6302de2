from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stress.clients.profiles import client_mix, clients, load_client, name_and_weight, read_client
from stress.errors import UsageError
from stress.model.client import Client

Write = Callable[[str, str], Path]

WHOLE = """
title = "A program"
versions = ["0x0304", 0x0303]
cipher-suites = ["0x1301", "0xc02b"]
groups = ["0x001d"]
key-shares = [29]
signature-algorithms = ["0x0403"]
alpn = ["h2", "http/1.1"]
extensions = [0, 10]
compress-certificate = ["brotli"]
grease = true
server-name = false
session-tickets = false
policy = "apple"
cannot-express = ["3DES"]
weight = 2.5
"""


def test_a_file_holds_every_field_of_a_client(write: Write) -> None:
    assert read_client(write("program.toml", WHOLE)) == Client(
        name="program",
        title="A program",
        versions=(0x0304, 0x0303),
        cipher_suites=(0x1301, 0xC02B),
        groups=(0x001D,),
        key_shares=(0x001D,),
        signature_algorithms=(0x0403,),
        alpn=("h2", "http/1.1"),
        extensions=(0, 10),
        compress_certificate=("brotli",),
        grease=True,
        server_name=False,
        session_tickets=False,
        policy="apple",
        cannot_express=("3DES",),
        weight=2.5,
    )


def test_an_empty_file_is_the_stack_as_it_is(write: Write) -> None:
    assert read_client(write("plain.toml", "")) == Client("plain")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("titel = 'x'", r"mine\.toml, line 1: titel: unknown key"),
        ("\ngrease = 1", r"mine\.toml, line 2: grease: Expected bool"),
        ("groups = 29", r"line 1: groups: Expected array"),
        ("groups = ['0xzz']", r'line 1: groups: "0xzz" is not among the known groups'),
        ("groups = [65536]", r"line 1: groups: 65536 does not fit into two bytes"),
        ("groups = [-1]", r"line 1: groups: -1 does not fit into two bytes"),
        ("versions = []", r"line 1: versions: no TLS version"),
        ("weight = 0", r"line 1: weight: 0.* is not a number above 0"),
        ("weight = nan", r"line 1: weight: nan"),
        ("alpn = ['']", r"line 1: alpn: the name of a protocol has 1 to 255 bytes"),
    ],
)
def test_a_bad_client_is_named_by_file_line_and_key(write: Write, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_client(write("mine.toml", text))


def test_names_of_code_points_are_read_by_whoever_knows_them(write: Write) -> None:
    path = write("named.toml", "groups = ['x25519', '0x0017']")

    client = read_client(path, number=lambda field, word: {"x25519": 29}.get(word, len(field)))

    assert client.groups == (29, len("groups"))


def test_the_default_client_is_shipped_and_judged_by_all() -> None:
    assert clients()["generic"] == load_client("generic")
    assert load_client("generic").policy == "any"
    assert client_mix(()) == (load_client("generic"),)


def test_every_shipped_client_has_a_title_and_its_files_name() -> None:
    assert all(client.title and client.name == name for name, client in clients().items())


def test_clients_are_mixed_by_weight(write: Write) -> None:
    own = str(write("mine.toml", "weight = 3"))

    mixed = client_mix((own, "generic=0.5"))

    assert [(client.name, client.weight) for client in mixed] == [("mine", 3.0), ("generic", 0.5)]


def test_the_command_lines_weight_wins_over_the_files(write: Write) -> None:
    own = str(write("mine.toml", "weight = 3"))

    assert client_mix((f"{own}=70%",))[0].weight == 0.7


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("genric",), '--client: there is no client "genric"'),
        (("generic", "generic=2"), "given twice"),
        (("generic=0",), "is not a valid weight"),
        (("generic=-1",), "is not a valid weight"),
        (("generic=lots",), "is not a valid weight"),
        (("generic=nan",), "is not a valid weight"),
        (("generic=inf",), "is not a valid weight"),
        (("none/here.toml",), "cannot be read"),
        (("",), "there is no client"),
    ],
)
def test_a_client_that_is_none_is_explained(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        client_mix(words)


def test_a_load_profile_given_as_client_gets_the_right_option() -> None:
    with pytest.raises(UsageError, match="is a load profile") as caught:
        client_mix(("smoke",))

    assert caught.value.hint == "Use --profile smoke"


def test_a_weight_is_a_number_or_a_percentage() -> None:
    assert name_and_weight("generic=3") == ("generic", 3.0)
    assert name_and_weight("generic=25%") == ("generic", 0.25)
    assert name_and_weight(" generic ") == ("generic", None)
