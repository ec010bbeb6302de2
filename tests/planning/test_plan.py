from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.host.limits import Machine
from stress.model.plan import Address, Close, Keeping, Load, Plan, Target
from stress.planning.addresses import Resolution
from stress.planning.plan import plan_run
from stress.planning.request import Request
from stress.planning.run_command import run_argv

Write = Callable[[str, str], Path]

NOW = 1_790_000_000


class Directory:
    """A resolver that knows one set of addresses for every name, and counts the questions."""

    def __init__(self, *ips: str) -> None:
        self.ips, self.asked = ips, 0

    async def __call__(self, target: Target, resolver: str | None, /) -> Resolution:
        self.asked += 1
        return Resolution(tuple(Address(ip, target.port) for ip in self.ips), 30.0)


def plan(request: Request, machine: Machine, *ips: str) -> Plan:
    whole = replace(request, policy=request.policy or "none")
    return plan_run(whole, now=NOW, resolve=Directory(*ips), machine=machine)


def test_a_target_alone_makes_a_first_run_that_needs_no_consent(machine: Machine) -> None:
    made = plan(Request(targets=("edge.example.com",)), machine, "8.8.8.8")

    assert made.target == Target("edge.example.com", 443)
    assert made.addresses == (Address("8.8.8.8", 443),)
    assert made.load == Load(1000, None, 64, 50.0, processes=4, stop_on_refusal=True)
    assert made.server_name == made.trust.host == "edge.example.com"
    assert made.resolve_again_s == 30.0
    assert made.authorized is None
    assert made.close is Close.FIN


def test_all_that_was_asked_for_is_in_the_plan(machine: Machine, own_profile: Write) -> None:
    profile = str(own_profile("mine.toml", 'authorized = ["edge.example.com"]\nrate = "100/s"\n'))

    made = plan(
        Request(
            targets=("https://edge.example.com:8443/",),
            profile=profile,
            duration="1m",
            concurrency=500,
            processes=2,
            seed=7,
            clients=("generic=2",),
            sni="none",
            stack="openssl",
            addresses_inline=("8.8.8.8=node-1",),
            proxy_protocol="V1",
            timeout="5s",
            close="rst",
            at="+1d",
        ),
        machine,
    )

    assert made.addresses == (Address("8.8.8.8", 8443, "node-1"),)
    assert made.load == Load(None, 60.0, 500, 100.0, processes=2, stop_on_refusal=True)
    assert (made.server_name, made.trust.host) == (None, "edge.example.com")
    assert made.trust.at == NOW + 86_400
    assert (made.seed, made.profile, made.proxy_protocol) == (7, "mine", "v1")
    assert (made.limits.attempt_s, made.close, made.stack) == (5.0, Close.RST, "openssl")
    assert made.clients[0].weight == 2.0
    assert made.resolve_again_s is None
    consent = f'authorized = ["edge.example.com"] in {profile}'
    assert made.authorized == f"{consent}, for edge.example.com:8443 at 8.8.8.8:8443"


def test_an_address_as_target_is_dialled_and_never_sent_as_name(machine: Machine) -> None:
    made = plan_run(Request(targets=("[::1]:8443",), policy="none"), now=NOW, machine=machine)

    assert made.addresses == (Address("::1", 8443),)
    assert (made.server_name, made.trust.host, made.resolve_again_s) == (None, "::1", None)


def test_two_runs_without_a_seed_differ_in_it(machine: Machine) -> None:
    request = Request(targets=("127.0.0.1",))

    assert plan(request, machine, "127.0.0.1").seed != plan(request, machine, "127.0.0.1").seed


def test_more_addresses_and_sources_mean_more_ports(machine: Machine) -> None:
    request = Request(targets=("pool.internal",), count=20_000)

    assert plan(request, machine, "127.0.0.1").close is Close.RST
    assert plan(request, machine, "127.0.0.1", "127.0.0.2").close is Close.FIN


def test_what_planning_chose_is_noted(machine: Machine) -> None:
    made = plan(Request(targets=("edge.example.com",), count=100), machine, "8.8.8.8")

    assert made.load.rate == 50.0
    assert any(note.startswith("paced to 50/s") for note in made.notes)
    assert any(note.startswith("closes by FIN") for note in made.notes)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(), "TARGET is missing"),
        (Request(targets=("a.example", "b.example")), "2 targets are given"),
        (Request(targets=("a.example:0",)), 'TARGET: "0" is not a valid port'),
        (Request(targets=("a.example",), profile="smok"), "--profile: there is no load profile"),
        (Request(targets=("a.example",), profile="generic"), "--profile: .* is a client"),
        (Request(targets=("a.example",), close="never"), "--close: .* is not one of"),
        (Request(targets=("a.example",), seed="x"), "--seed: "),
        (Request(targets=("a.example",), timeout="0"), "--timeout: "),
        (Request(targets=("a.example",), concurrency=10**6), "1,000 are allowed"),
        (Request(targets=("a.example",), count=0), "nothing would be sent"),
        (Request(targets=("a.example",), policy="appel"), "--policy: "),
        (Request(targets=("a.example",), at="x"), "--at: "),
        (Request(targets=("a.example",), ca="none/here.pem"), "here.pem"),
        (Request(targets=("a.example",), clients=("genric",)), "--client: "),
        (Request(targets=("a.example",), resolver="x"), "--resolver: "),
        (
            Request(targets=("a.example",), proxy_protocol="v3"),
            "--proxy-protocol: .* not one of v1",
        ),
        (
            Request(targets=("a.example",), evidence_per_signature="some"),
            "evidence-per-signature: ",
        ),
        (Request(targets=("a.example",), evidence_bytes="some"), "evidence-bytes: "),
    ],
)
def test_bad_words_are_explained_before_any_name_is_resolved(
    machine: Machine, request_: Request, says: str
) -> None:
    directory = Directory("127.0.0.1")

    with pytest.raises(UsageError, match=says):
        plan_run(request_, now=NOW, resolve=directory, machine=machine)

    assert directory.asked == 0


def test_a_name_of_no_address_of_ones_own_needs_consent(machine: Machine) -> None:
    request = Request(targets=("edge.example.com",), count=20_000)

    with pytest.raises(UsageError, match="is public: 20,000 handshakes"):
        plan(request, machine, "127.0.0.1", "8.8.8.8")

    agreed = plan(replace(request, authorized=True), machine, "127.0.0.1", "8.8.8.8")
    assert str(agreed.authorized).startswith("--i-am-authorized, for edge.example.com:443 at ")


def test_consent_does_not_cover_addresses_that_only_a_strangers_profile_names(
    machine: Machine, write: Write, own_profile: Write
) -> None:
    text = 'address = ["10.7.7.7", "8.8.8.8:22"]\ncount = 20_000\n'
    strange, own = str(write("p.toml", text)), str(own_profile("p.toml", text))
    request = Request(targets=("edge.example.com",), profile=strange, authorized=True)

    with pytest.raises(UsageError, match=r"only the profile names 10\.7\.7\.7:443") as caught:
        plan(request, machine)
    assert f"Ignored: --i-am-authorized for addresses that only {strange} names." in str(
        caught.value.hint
    )

    free = plan(replace(request, count=900), machine)
    assert (free.authorized, free.load.rate) == (None, 50.0)
    assert any("ignored: --i-am-authorized" in note for note in free.notes)
    said = plan(replace(request, addresses_inline=("10.7.7.7", "8.8.8.8:22")), machine)
    assert "10.7.7.7:443, 8.8.8.8:22" in str(said.authorized)
    assert plan(replace(request, profile=own), machine).load.count == 20_000


@pytest.mark.parametrize(
    ("wish", "ip", "stops"),
    [
        (None, "93.184.216.34", True),
        (None, "127.0.0.1", False),
        (True, "127.0.0.1", True),
        (False, "93.184.216.34", False),
    ],
)
def test_others_servers_are_spared_when_they_begin_to_refuse_everything(
    machine: Machine, wish: bool | None, ip: str, stops: bool
) -> None:
    request = Request(targets=("a.example",), stop_on_refusal=wish)

    assert plan(request, machine, ip).load.stop_on_refusal is stops


def test_the_time_of_a_search_does_not_bound_what_it_sends(machine: Machine) -> None:
    """It doubles its rate: 50/s for 10 s would be a visitor's load, and is not what is asked."""
    goal = Request(targets=("edge.example.com",), find_limit="failing<1%", max_duration="10s")

    with pytest.raises(UsageError, match="is public"):
        plan(goal, machine, "8.8.8.8")

    agreed = plan(replace(goal, authorized=True), machine, "8.8.8.8")
    assert (agreed.load.duration_s, agreed.load.count) == (10.0, None)
    assert "--max-duration 10s" in " ".join(run_argv(agreed))
    assert "-d" not in run_argv(agreed)


def test_planning_a_run_opens_no_connection(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        plan_run(
            Request(targets=(f"localhost:{port}",), policy="none", count=5),
            now=NOW,
            machine=machine,
        )

        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_client_under_an_unknown_policy_is_refused(machine: Machine, write: Write) -> None:
    client = str(write("mine.toml", 'policy = "appel"'))

    with pytest.raises(UsageError, match="client mine: there is no policy"):
        plan(Request(targets=("a.example",), clients=(client,)), machine, "127.0.0.1")


@pytest.mark.parametrize(
    ("request_", "keeping"),
    [
        (Request(), Keeping()),
        (Request(evidence_per_signature="2"), Keeping(per_signature=2)),
        (Request(evidence_per_signature=0), Keeping(per_signature=0)),
        (Request(evidence_bytes="1MB"), Keeping(total_bytes=1_000_000)),
        (Request(evidence_bytes=0), Keeping(total_bytes=0)),
    ],
)
def test_evidence_has_limits_by_default_and_by_profile(
    machine: Machine, request_: Request, keeping: Keeping
) -> None:
    assert plan(replace(request_, targets=("a.example",)), machine, "127.0.0.1").keeping == keeping
