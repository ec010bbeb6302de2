from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from scripts.reference import profile_schema
from stress.clients.profiles import SCHEMA
from stress.errors import UsageError
from stress.planning.profile import (
    consents,
    filled,
    load_profile,
    profile_keys,
    profiles,
    read_profile,
)
from stress.planning.request import Request
from stress.text.tomlfile import TomlFile
from tests.schemas import fits

Write = Callable[[str, str], Path]

WHOLE = """
title = "All of it"
count = 20000
duration = "10m"
concurrency = 100
rate = 500
processes = 2
seed = 7
client = ["generic=3", "ios-urlsession"]
sni = "www.example.com"
stack = "openssl"
address = "127.0.0.1=a"
addresses = "-"
source = ["127.0.0.1"]
resolver = "127.0.0.53"
proxy-protocol = "v1"
cert = "me.pem"
key = "keys/me.key"
timeout = 5
connect-timeout = "1s"
hello-timeout = "2s"
handshake-timeout = 2.5
after-handshake = 0
close = "fin"
ca = "ca.pem"
policy = "apple"
at = 2026-12-01T00:00:00Z
pin = ["sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
name = "launch"
results = "runs"
authorized = ["Edge.example.com", "2001:DB8::1"]
"""


def test_a_profile_sets_every_option_of_run(write: Write) -> None:
    path = write("mine.toml", WHOLE)

    profile = read_profile(path)

    assert profile.name == "mine"
    assert profile.title == "All of it"
    assert profile.authorized == ("edge.example.com", "2001:db8::1")
    assert profile.options == Request(
        count="20000",
        duration="10m",
        concurrency="100",
        rate="500",
        processes="2",
        seed="7",
        clients=("generic=3", "ios-urlsession"),
        sni="www.example.com",
        stack="openssl",
        addresses_inline=("127.0.0.1=a",),
        addresses_file="-",
        sources=("127.0.0.1",),
        resolver="127.0.0.53",
        proxy_protocol="v1",
        cert=str(path.parent / "me.pem"),
        key=str(path.parent / "keys" / "me.key"),
        timeout="5",
        connect_timeout="1s",
        hello_timeout="2s",
        handshake_timeout="2.5",
        after_handshake="0",
        close="fin",
        ca=str(path.parent / "ca.pem"),
        policy="apple",
        at="2026-12-01T00:00:00+00:00",
        pins=("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",),
        name="launch",
        results=str(path.parent / "runs"),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cuont = 5", r"mine\.toml, line 1: cuont: unknown key"),
        ("# a\nrate = 'fast'", r'mine\.toml, line 2: rate: "fast" is not a rate'),
        ("count = true", r"line 1: count: expected text or a number"),
        ("count = []", r"line 1: count: expected text or a number"),
        ("count = -1", r'line 1: count: "-1" is not between 0 and 1,000,000,000,000'),
        ("find-limit = ''", r"line 1: find-limit: the value is empty"),
        ("client = 3", r"line 1: client: Expected array, got int"),
        ("client = [3]", r"line 1: client: Expected str, got int"),
        ("address = ['node-1']", r'line 1: address: "node-1" is not an IP address'),
        ("policy = 'appel'", r"line 1: policy: there is no policy"),
        ("title = 3", r"line 1: title: Expected str"),
        ("authorized = 'edge.example.com'", r"line 1: authorized: Expected array"),
        ("authorized = ['*.example.com']", r"line 1: authorized: .* has invalid characters"),
        ("i-am-authorized = true", r"line 1: i-am-authorized: authorization is given by host name"),
        ("[load]\nrate = 5", r"line 1: load: unknown key"),
        ("at = 12:00:00", r"line 1: at: expected text or a number"),
    ],
)
def test_a_bad_profile_is_named_by_file_line_and_key(write: Write, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_profile(write("mine.toml", text))


def test_a_misspelt_key_gets_the_nearest(write: Write) -> None:
    with pytest.raises(UsageError) as caught:
        read_profile(write("mine.toml", "conect-timeout = '1s'"))

    assert 'Did you mean "connect-timeout"?' in str(caught.value.hint)


def test_the_shipped_profiles_say_what_they_are_for() -> None:
    assert list(profiles()) == ["capacity", "consistency", "smoke", "soak"]
    assert all(profile.title for profile in profiles().values())
    assert not any(profile.authorized for profile in profiles().values())


@pytest.mark.parametrize("name", ["smoke", "consistency", "capacity", "soak"])
def test_a_shipped_profile_is_loaded_by_its_name(name: str) -> None:
    assert load_profile(name).file.name == f"{name}.toml"


@pytest.mark.parametrize(
    ("word", "says", "hint"),
    [
        ("smok", 'there is no load profile "smok"', 'Did you mean "smoke"?'),
        ("generic", '"generic" is a client profile', "Use --client generic"),
        ("none/here.toml", "cannot be read", "the file exists"),
    ],
)
def test_a_profile_that_is_none_is_explained(word: str, says: str, hint: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        load_profile(word)

    assert hint in str(caught.value.hint)


def test_without_a_profile_the_request_is_as_it_was() -> None:
    assert filled(Request(count=5)) == (Request(count=5), None)


def test_the_command_line_wins(write: Write) -> None:
    file = str(write("mine.toml", "rate = 500\ntimeout = '5s'\nclient = ['generic']"))

    whole, profile = filled(Request(profile=file, rate="20", clients=("other",)))

    assert whole == Request(profile=file, rate="20", timeout="5s", clients=("other",))
    assert profile is not None


def test_a_plain_no_in_a_profile_is_an_answer(write: Write) -> None:
    path = write("mine.toml", "stop-on-refusal = false\n")

    whole, _ = filled(Request(targets=("a.test",), profile=str(path)))

    assert whole.stop_on_refusal is False


def test_filling_twice_changes_nothing(write: Write) -> None:
    file = str(write("mine.toml", "rate = 500\ncount = 3"))
    once, _ = filled(Request(profile=file, duration="1s"))

    assert filled(once)[0] == once


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (Request(), ("9", "9s", None)),
        (Request(duration="1s"), (None, "1s", None)),
        (Request(detect="1%"), (None, None, "1%")),
        (Request(count=0), (0, None, None)),
    ],
)
def test_how_long_is_one_question(
    write: Write, asked: Request, kept: tuple[object, object, object]
) -> None:
    file = str(write("mine.toml", "count = 9\nduration = '9s'"))

    whole, _ = filled(replace(asked, profile=file))

    assert (whole.count, whole.duration, whole.detect) == kept


def test_a_zero_on_the_command_line_wins_too(write: Write) -> None:
    file = str(write("mine.toml", "seed = 9"))

    assert filled(Request(profile=file, seed=0))[0].seed == 0


def test_addresses_of_the_command_line_replace_the_profiles(write: Write) -> None:
    file = str(write("mine.toml", "address = ['127.0.0.1']"))

    whole, _ = filled(Request(profile=file, addresses_file="nodes.txt"))

    assert whole.addresses_inline == ()


def test_consent_is_by_option_or_by_the_exact_name(own_profile: Write) -> None:
    profile = read_profile(own_profile("mine.toml", 'authorized = ["edge.example.com"]'))

    assert consents(Request(), profile, "www.edge.example.com") == ()
    assert consents(Request(), None, "edge.example.com") == ()
    assert consents(Request(authorized=True), None, "any.example") == ("--i-am-authorized",)
    assert consents(Request(), profile, "edge.example.com") == (
        f'authorized = ["edge.example.com"] in {profile.file}',
    )


def test_the_shipped_schema_is_made_from_the_options() -> None:
    shipped = resources.files("stress.planning").joinpath("profile.schema.json").read_text()

    assert json.loads(shipped) == profile_schema(), "run `make docs`"
    assert set(profile_schema()["properties"]) == {
        *(option.name for option in profile_keys().values()),
        *("title", "authorized"),
    }


@pytest.mark.parametrize("name", ["smoke", "consistency", "capacity", "soak"])
def test_a_shipped_profile_fits_the_schema(name: str) -> None:
    assert fits(TomlFile.read(load_profile(name).file).table, profile_schema())


def test_the_schema_takes_what_a_profile_takes(write: Write) -> None:
    whole = WHOLE + 'segments = [{rate = 5, duration = "1m"}]\nsweep = "clients"\njson = true\n'

    assert fits(TomlFile.read(write("a.toml", whole)).table, profile_schema())


@pytest.mark.parametrize(
    "text",
    [
        "cuont = 5",
        "count = true",
        "client = 3",
        "json = 'yes'",
        "stack = 'gnutls'",
        "segments = [{rate = 5}]",
        "segments = [{rate = 5, duration = 1, until = 3}]",
        "title = 3",
    ],
)
def test_the_schema_refuses_what_a_profile_refuses(write: Write, text: str) -> None:
    path = write("bad.toml", text)

    assert not fits(TomlFile.read(path).table, profile_schema())
    with pytest.raises(UsageError):
        read_profile(path)


@pytest.mark.parametrize("name", profiles())
def test_every_shipped_profile_names_its_schema(name: str) -> None:
    first = load_profile(name).file.read_text().splitlines()[0]

    assert first == f"#:schema {SCHEMA.replace('client', 'profile')}"
