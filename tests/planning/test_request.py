from __future__ import annotations

from dataclasses import fields
from functools import reduce
from typing import Any

import pytest

from stress.errors import UsageError
from stress.model.plan import Arrivals, Plan, Target
from stress.planning.option import Section, ValueType
from stress.planning.request import Request, options

BY_NAME = {option.name: option for option in options().values()}


def test_nothing_is_requested_by_default() -> None:
    request = Request()

    assert all(getattr(request, field.name) in (None, (), False) for field in fields(Request))
    assert request.given() == frozenset()


def test_a_plain_no_and_a_zero_are_given() -> None:
    assert Request(stop_on_refusal=False, seed=0).given() == {"stop_on_refusal", "seed"}


def test_every_option_is_named_once_and_explained_in_a_sentence() -> None:
    names = [option.name for option in options().values()]

    assert len(set(names)) == len(names)
    assert list(options()) == [field.name for field in fields(Request)]
    assert all(option.help[0].isupper() or option.name == "targets" for option in BY_NAME.values())
    assert all(option.help.endswith((".", "]")) for option in BY_NAME.values())


def test_what_only_a_profile_sets_is_a_profile_key() -> None:
    assert all(
        option.profile_key for option in BY_NAME.values() if option.section is Section.PROFILE_ONLY
    )


def test_a_value_that_goes_into_the_plan_as_it_is_has_a_field_there() -> None:
    plan = Plan(Target("a.test"), (), ())
    for option in BY_NAME.values():
        if option.plan:
            reduce(getattr, option.plan.split("."), plan)


def test_what_is_given_is_sorted_by_the_part_of_the_plan() -> None:
    request = Request(hold="60s", arrivals="Constant", until=("failures>=1",), evidence_bytes="1MB")

    assert request.part("load") == {"hold_s": 60.0, "arrivals": Arrivals.CONSTANT}
    assert request.part("keeping") == {"total_bytes": 1_000_000}
    assert request.part("") == {"goals": ("failures>=1",)}


def test_a_value_that_cannot_be_read_is_named_as_the_user_gave_it() -> None:
    with pytest.raises(UsageError, match=r"^--hold: "):
        Request(hold="long").value("hold", float)
    with pytest.raises(UsageError, match=r"^warm-up: "):
        Request(warm_up="long").part("load")


def test_an_option_of_few_words_shows_them() -> None:
    choices = {o.name: o.metavar for o in BY_NAME.values() if o.choices and o.section}

    assert choices == {
        "sweep": "clients|concurrency",
        "stack": "boringssl|openssl",
        "proxy-protocol": "v1|v2",
        "rows": "here|there",
        "secrets": "here|there",
        "close": "auto|fin|rst",
    }


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("count", "20k", "lots"),
        ("duration", "30s", "soon"),
        ("concurrency", "64", "0"),
        ("rate", "30/m", "0"),
        ("processes", "2", "0"),
        ("detect", "0.1%", "0"),
        ("segments", "200/s to 1000/s for 30s", "200/s"),
        ("segments", "200/s for 30s", "none for 30s"),
        ("arrivals", "constant", "bursty"),
        ("warm-up", "10s", "soon"),
        ("hold", "60s", "long"),
        ("seed", "0", "-1"),
        ("client", "generic=2", "generic=0"),
        ("sni", "none", "192.0.2.1"),
        ("stack", "openssl", "gnutls"),
        ("address", "192.0.2.1:9=a", "node-1"),
        ("source", "127.0.0.1", "192.0.2.1"),
        ("resolver", "192.0.2.53", "dns.example"),
        ("proxy-protocol", "v2", "v3"),
        ("timeout", "1s", "0"),
        ("connect-timeout", "1s", "0"),
        ("hello-timeout", "1s", "0"),
        ("handshake-timeout", "1s", "0"),
        ("after-handshake", "0", "x"),
        ("drain", "0", "long"),
        ("close", "fin", "never"),
        ("evidence-per-signature", "0", "-1"),
        ("evidence-bytes", "50MB", "much"),
        ("policy", "none", "appel"),
        ("at", "+30d", "tomorrow"),
        ("ca", "ca.pem", ""),
        ("pin", "sha256//" + "A" * 43 + "=", "sha256//A"),
    ],
)
def test_a_value_is_checked_wherever_it_comes_from(key: str, good: str, bad: str) -> None:
    option: Any = BY_NAME[key]
    option.read(good)

    with pytest.raises(UsageError):
        option.read(bad)


def test_a_path_is_relative_to_the_profile_only_where_it_names_a_file() -> None:
    paths = {option.name for option in BY_NAME.values() if option.value is ValueType.FILE}

    assert paths == {
        *("addresses", "cert", "key", "proxy-authorization", "ca", "stores", "results"),
        *("html", "junit", "openmetrics", "markdown"),
    }
