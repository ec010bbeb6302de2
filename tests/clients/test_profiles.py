from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.clients.profiles import (
    SCHEMA,
    client_mix,
    client_toml,
    clients,
    code_point,
    load_client,
    name_and_weight,
    read_client,
)
from stress.errors import UsageError
from stress.model.plan import Client

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

    assert text.startswith(f"#:schema {SCHEMA}\n# One.\n# Two.\n\nname = ")
    assert 'groups = ["X25519MLKEM768", "x25519", "secp256r1", "secp384r1"]' in text
    assert 'extensions = ["server_name", "0x1234"]' in text
    assert max(map(len, text.splitlines())) <= 100


def test_what_toml_could_not_hold_is_escaped() -> None:
    assert 'title = "a\\\\x00b\\\\xe9"' in client_toml(Client("x", title="a\0b\xe9"), "")


@given(st.integers(0, 0xFFFF))
def test_a_code_point_is_read_from_hexadecimal(number: int) -> None:
    assert code_point("groups", f"0x{number:04x}") == number
    assert code_point("cipher_suites", f" 0X{number:X} ") == number


@pytest.mark.parametrize("word", ["", "0x", "0x10000", "4865", "no-such-thing"])
def test_what_is_no_code_point_is_refused_with_its_field(word: str) -> None:
    with pytest.raises(UsageError, match="among the known cipher suites"):
        code_point("cipher_suites", word)


@pytest.mark.parametrize(
    ("field", "word", "number"),
    [
        ("cipher_suites", "TLS_AES_128_GCM_SHA256", 0x1301),
        ("groups", "X25519", 0x001D),
        ("key_shares", "x25519", 0x001D),
        ("versions", "TLS 1.3", 0x0304),
        ("signature_algorithms", "ed25519", 0x0807),
        ("extensions", "server_name", 0),
    ],
)
def test_a_code_point_is_read_from_its_iana_name(field: str, word: str, number: int) -> None:
    assert code_point(field, word) == number


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        code_point("cipher_suites", "TLS_AES_128_GCM_SHA265")

    assert 'Did you mean "TLS_AES_128_GCM_SHA256"?' in str(caught.value.hint)
