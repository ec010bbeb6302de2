from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.planning.plan import plan_run
from stress.planning.profile import filled
from stress.planning.request import Request
from stress.planning.vantages import Scheme, VantageAddress, listed, read_vantage, vantages_of


@pytest.mark.parametrize(
    ("text", "scheme", "command"),
    [
        ("home=local", Scheme.LOCAL, ()),
        ("fra=ssh://fra.example.com", Scheme.SSH, ("fra.example.com",)),
        ("fra=ssh://me@fra.example.com:2222/", Scheme.SSH, ("-p", "2222", "me@fra.example.com")),
        ("six=ssh://me@[2001:db8::1]:22", Scheme.SSH, ("-p", "22", "me@2001:db8::1")),
        ("alias=ssh://my_host", Scheme.SSH, ("my_host",)),
        (
            "pod=exec:kubectl exec -i 'a pod' --",
            Scheme.EXEC,
            ("kubectl", "exec", "-i", "a pod", "--"),
        ),
    ],
)
def test_a_vantage_is_a_name_and_how_to_get_there(
    text: str, scheme: Scheme, command: tuple[str, ...]
) -> None:
    name, _, place = text.partition("=")

    assert read_vantage(text) == VantageAddress(name, scheme, place, command)


@pytest.mark.parametrize(
    ("place", "scheduler", "workers"),
    [
        ("dask://dask.example.com", ("dask.example.com", 8786), None),
        ("dask://dask.example.com:18786/", ("dask.example.com", 18786), None),
        ("dask://[2001:db8::1]:8786?workers=3", ("2001:db8::1", 8786), 3),
        ("dask://10.0.0.1/?workers=12", ("10.0.0.1", 8786), 12),
    ],
)
def test_a_dask_cluster_is_its_scheduler_and_how_many_workers(
    place: str, scheduler: tuple[str, int], workers: int | None
) -> None:
    read = read_vantage(f"all={place}")

    assert (read.scheme, read.text) == (Scheme.DASK, place)
    assert (read.scheduler, read.workers) == (scheduler, workers)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("local", "does not begin with a name"),
        ("=local", "does not begin with a name"),
        ("-x=local", "does not begin with a name"),
        ("a b=local", "does not begin with a name"),
        ("a=fra.example.com", "is no place"),
        ("a=http://fra", "is no place"),
        ("a=ssh:fra", "is no place"),
        ("a=ssh://", "has no host"),
        ("a=ssh://-oProxyCommand=x", "no host that ssh"),
        ("a=ssh://me@-oProxyCommand=x", "no host that ssh"),
        ("a=ssh://-l@fra", "no host that ssh"),
        ("a=ssh://fra;reboot", "no host that ssh"),
        ("a=ssh://fra:0", "port"),
        ("a=exec:", "does not begin with a program"),
        ("a=exec:-x y", "does not begin with a program"),
        ("a=exec:'x", "is no command line"),
        ("a=dask:host", "is no place"),
        ("a=dask://", "has no host"),
        ("a=dask://-x", "names no host of a Dask scheduler"),
        ("a=dask://me@host:8786", "names no host of a Dask scheduler"),
        ("a=dask://host:none", "port"),
        ("a=dask://host?workers=0", "does not say how many workers"),
        ("a=dask://host?workers=-1", "does not say how many workers"),
        ("a=dask://host?workers=\N{SUPERSCRIPT TWO}", "does not say how many workers"),
        ("a=dask://host?workers=", "does not say how many workers"),
        ("a=dask://host?worker=3", "only workers=N can be said"),
        ("a=dask://host?workers=3&x=1", "does not say how many workers"),
        ("a=dask://host?", "only workers=N can be said"),
    ],
)
def test_what_is_no_vantage_is_refused_in_a_sentence(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_vantage(text)

    assert told in refused.value.message
    assert "ssh://user@" in str(refused.value.hint)
    assert len(refused.value.message) <= 100


@pytest.mark.parametrize("text", ["fra", "fra=", "=2", "fra=0", "fra=nan", "fra=1e9", "-x=2"])
def test_what_is_no_weight_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="is not NAME=N, with N from"):
        vantages_of(Request(vantages=("fra=local",), weights=(text,)))


def test_what_belongs_to_vantages_is_given_to_each() -> None:
    given = Request(vantages=("a=local", "b=local"), weights=("b=2",), rows="there")

    found = vantages_of(given)

    assert [one.weight for one in found] == [1.0, 2.0]
    assert not any(one.rows_home or one.secrets_home for one in found)
    assert all(one.secrets_home for one in vantages_of(replace(given, secrets="here")))
    with pytest.raises(UsageError, match="--weight: no --vantage is called c"):
        vantages_of(replace(given, weights=("c=2",)))


@pytest.mark.parametrize(
    ("request_", "option"),
    [
        (Request(rows="there"), "--rows"),
        (Request(secrets="here"), "--secrets"),
        (Request(weights=("fra=2",)), "--weight"),
        (Request(deploy=True), "--deploy"),
    ],
)
def test_without_a_vantage_nothing_can_be_said_of_one(request_: Request, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option}: there is no --vantage"):
        vantages_of(request_)


def test_names_are_unique() -> None:
    with pytest.raises(UsageError, match="2 vantages are called fra"):
        vantages_of(Request(vantages=("fra=local", "fra=ssh://fra")))


@pytest.mark.parametrize(
    "request_",
    [
        Request(find_limit="failing<1%"),
        Request(backends=True),
        Request(sources=("127.0.0.1",)),
        Request(interrupted="run"),
    ],
)
def test_what_is_of_one_machine_says_no(request_: Request) -> None:
    with pytest.raises(UsageError, match="do not go together"):
        vantages_of(
            Request(**{f: getattr(request_, f) for f in request_.given()}, vantages=("a=local",))
        )


def test_consent_is_for_the_total_and_names_all_sources() -> None:
    request = Request(
        targets=("192.0.2.1",),
        addresses_inline=("8.8.8.8",),
        count=5_000,
        vantages=("fra=ssh://fra", "home=local"),
    )

    with pytest.raises(UsageError) as refused:
        plan_run(request, now=0)

    assert "5,000 handshakes" in refused.value.message
    assert "All from fra (ssh://fra) and home (local)." in str(refused.value.hint)


def test_a_strangers_profile_names_no_vantage(tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text('vantage = ["a=exec:touch here"]\n')

    with pytest.raises(UsageError, match="what it names is executed"):
        filled(Request(profile=str(profile)))


def test_the_users_own_profile_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    profile = tmp_path / "tls-stress" / "p.toml"
    profile.parent.mkdir()
    profile.write_text('vantage = ["a=local", "b=ssh://b"]\n')

    settings, _ = filled(Request(profile=str(profile)))

    assert listed(vantages_of(settings)) == "a (local) and b (ssh://b)"
