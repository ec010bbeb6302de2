from base64 import b64encode
from dataclasses import replace
from shlex import join

from stress.analysis.command import run_argv
from stress.model.claims import RunChange
from stress.model.plan import Address, Client, Close, Limits, Load, Plan, Stack, Target, Trust

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
    line = join(run_argv(plan))

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
