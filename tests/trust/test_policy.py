from __future__ import annotations

import tomllib
from dataclasses import fields
from datetime import date
from importlib.resources import files

import pytest

import stress.trust.judge  # noqa: F401  loads the rules, which declare keys
from stress.errors import UsageError
from stress.trust.policy import Policy, Scope, Settings, find_policy, policies, policy_names, unix

KEYS = {field.name for field in fields(Policy)} - {"keys", "_read"}
KEYS.update(*(kind.__struct_fields__ for kind in Settings.__subclasses__()))
FILES = sorted(
    one.name for one in (files("stress.trust") / "policies").iterdir() if one.name.endswith(".toml")
)


@pytest.mark.parametrize("name", FILES)
def test_each_file_says_its_name_only_known_keys_and_where_it_has_it_from(name: str) -> None:
    text = (files("stress.trust") / "policies" / name).read_text("utf-8")
    data = tomllib.loads(text)

    assert data["name"] == name.removesuffix(".toml")
    assert set(data) <= KEYS
    assert data["title"]
    assert text.startswith("#")
    assert name in {"any.toml", "none.toml"} or "Sources:" in text


def test_any_includes_every_mainstream_family() -> None:
    mainstream = {one.name for one in policies().values() if one.mainstream}

    assert set(find_policy("any").families) == mainstream


def test_an_unknown_name_offers_the_nearest_or_all() -> None:
    with pytest.raises(UsageError) as near:
        find_policy("chromium")
    with pytest.raises(UsageError) as far:
        find_policy("zzz")

    assert (near.value.hint or "").startswith('Did you mean "chrome"? Known: ')
    assert all(name in (far.value.hint or "") for name in policy_names())


@pytest.mark.parametrize(
    ("scope", "public", "private"),
    [
        (Scope.EVERY, True, True),
        (Scope.PUBLIC, True, False),
        (Scope.PRIVATE, False, True),
        (Scope.NOWHERE, False, False),
    ],
)
def test_scopes_hold_where_they_say(scope: Scope, public: bool, private: bool) -> None:
    assert scope.covers(public=True) == public
    assert scope.covers(public=False) == private


def test_a_day_begins_at_midnight_utc() -> None:
    assert unix(date(2020, 9, 1)) == 1_598_918_400
