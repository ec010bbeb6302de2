from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import join
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stress.cli.options import parse
from stress.dialogues.proxies import IN_VARIABLE
from stress.errors import UsageError
from stress.host.limits import Machine
from stress.lab.site import Authority
from stress.model.claims import RunChange
from stress.model.plan import (
    Address,
    Client,
    Close,
    Limits,
    Load,
    Plan,
    Proxy,
    ProxyScheme,
    Stack,
    Target,
    Trust,
)
from stress.planning.addresses import Resolution
from stress.planning.plan import plan_run
from stress.planning.request import Request
from stress.planning.run_command import run_argv

NAMED = Plan(Target("edge.example.com"), (), (Client("generic"),), server_name="edge.example.com")


def test_defaults_are_not_spelled_out() -> None:
    plan = replace(NAMED, resolve_again_s=60.0, load=Load(count=None))

    assert join(run_argv(plan)) == "tls-stress run edge.example.com:443"


def test_everything_chosen_is_there() -> None:
    plan = replace(
        NAMED,
        addresses=(Address("10.0.3.7", 443, "node b"), Address("2001:db8::1", 8443)),
        clients=(Client("ios-17", weight=3.0), Client("chrome")),
        load=Load(count=None, duration_s=30.0, concurrency=200, rate=500.0),
        limits=Limits(attempt_s=5.0, drain_s=0.0),
        trust=Trust(anchors_from="my ca.pem", private=True, policy="apple", at=7, pins=(b"\x01",)),
        server_name=None,
        stack=Stack.OPENSSL,
        close=Close.RST,
        sources=("10.0.0.2",),
    )
    line = join(run_argv(plan, made_now=True))

    for words in (
        "-d 30s -c 200 --rate 500",
        "--client ios-17=3 --client chrome=1",
        "--sni none",
        "--stack openssl",
        "--address '10.0.3.7:443=node b' --address '[2001:db8::1]:8443'",
        "--source 10.0.0.2",
        "--drain 0s",
        "--timeout 5s",
        "--close rst",
        "--ca 'my ca.pem'",
        "--policy apple",
        "--at 7",
        f"--pin sha256//{b64encode(bytes([1])).decode()}",
    ):
        assert words in line, words


def test_a_change_wins_over_the_plan() -> None:
    change = RunChange(count=20, clients=("chrome",), server_name="other.example", rate=10.0)
    line = join(run_argv(NAMED, change))

    assert "-n 20" in line
    assert "--client chrome --sni other.example" in line
    assert "--rate 10" in line


def test_a_command_from_a_file_names_no_credentials_of_it() -> None:
    plan = replace(
        NAMED,
        trust=Trust(anchors_from="/keys/jane/ca.pem", private=True),
        client_certificate="/keys/jane/me.pem",
        client_key="../../etc/shadow",
        proxy=Proxy(ProxyScheme.HTTP, "hop.example.com", 3128, "10.0.0.8"),
        proxy_authorization="/keys/jane/proxy",
    )

    assert "--ca /keys/jane/ca.pem --cert FILE --key FILE --proxy-authorization FILE" in join(
        run_argv(plan)
    )
    assert not {"me.pem", "etc", "proxy"} & set(join(run_argv(plan, RunChange(count=5))).split("/"))
    typed = join(run_argv(plan, made_now=True))
    assert "--ca /keys/jane/ca.pem --cert /keys/jane/me.pem --key ../../etc/shadow" in typed
    assert "--proxy http://hop.example.com:3128" in typed
    assert typed.endswith("--proxy-authorization /keys/jane/proxy")
    in_variable = replace(plan, proxy_authorization=IN_VARIABLE)
    assert "authorization" not in join(run_argv(in_variable, made_now=True))


SPANS = st.sampled_from(["1s", "2.5s", "10m", "333ms", "1h"])
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "count": st.integers(1, 900).map(str),
        "duration": SPANS,
        "concurrency": st.integers(1, 300).map(str),
        "rate": st.sampled_from(["0.5/s", "30/m", "7", "64", "1000/s", "333.25"]),
        "hold": SPANS,
        "timeout": SPANS,
        "drain": SPANS,
        "max_duration": SPANS,
        "sni": st.sampled_from(["none", "other.example.com"]),
        "clients": st.sampled_from([("go",), ("tls12-only=2", "generic=0.5")]),
        "close": st.sampled_from(["fin", "rst", "auto"]),
        "proxy_protocol": st.sampled_from(["v1", "v2"]),
        "starttls": st.sampled_from(["smtp", "none"]),
        "proxy": st.sampled_from(["http://127.0.0.1:3128", "socks5h://hop.example.com:1080/"]),
        "resolver": st.just("192.0.2.53"),
        "policy": st.sampled_from(["none", "go"]),
        "stack": st.just("openssl"),
        "resumption": st.just("12.5%"),
        "sources": st.just(("127.0.0.1",)),
        "sweep": st.sampled_from([("clients",), ("concurrency",)]),
        "at": st.just("2026-01-02"),
        "until": st.sampled_from([("failing<0.1%",), ("failures>=20", "clean for 10m")]),
        "assertions": st.just(("chains==1", "p99.server<50ms")),
        "addresses_inline": st.sampled_from([("10.0.0.1",), ("10.0.0.1=a b", "10.0.0.2:8443=-x")]),
        "stop_on_refusal": st.booleans(),
        "find_limit": st.just("p99.total<250ms,failing<0.1%"),
        "detect": st.sampled_from(["0.1%", "2%"]),
        "rate_blocks": st.booleans(),
        "pins": st.just((f"sha256//{b64encode(bytes(32)).decode()}",)),
        "aia": st.booleans(),
        "ca": st.just("root.pem"),
    },
)


@pytest.fixture(scope="session")
def private_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The anchors of a private CA."""
    path = tmp_path_factory.mktemp("private") / "root.pem"
    path.write_bytes(Authority.make(datetime.now(UTC)).pem)
    return path


@pytest.mark.long
@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_=REQUESTS)
def test_the_command_of_a_plan_makes_the_same_plan(
    given_: dict[str, Any], machine: Machine, private_root: Path
) -> None:
    if "ca" in given_:
        given_ = given_ | {"ca": str(private_root)}

    async def resolve(_: Target, __: str | None) -> Resolution:
        return Resolution((Address("10.9.9.9", 443), Address("10.9.9.10", 443)), 30.0)

    def planned(request: Request) -> Plan:
        request = replace(request, seed="7")  # no command repeats it
        made = plan_run(request, now=1_790_000_000, resolve=resolve, machine=machine)
        load = replace(made.load, processes=1)
        return replace(made, notes=(), load=load)

    try:
        plan = planned(Request(targets=("edge.example.com",), **given_))
    except UsageError:
        assume(False)
    argv = run_argv(plan)

    assert planned(parse(argv[2:])) == plan


def test_consent_is_never_repeated() -> None:
    plan = replace(NAMED, authorized="--i-am-authorized", load=Load(10**6))

    assert not any("authorized" in word for word in run_argv(plan))
