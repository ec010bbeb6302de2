from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace

import pytest
import trio

from stress.errors import UsageError
from stress.model.plan import Address, Client, Load, Plan, Target
from stress.planning.addresses import Resolution
from stress.planning.consent import Guard, allow, exceeds
from stress.planning.load import total_of

PUBLIC = Address("8.8.8.8", 443)
PRIVATE = Address("10.1.2.3", 443)
HOST = Target("edge.example.com")
NO_WAY = "10.9.9.9"


def allowed_for(
    load: Load, *addresses: Address, consent: Sequence[str] = (), target: Target = HOST
) -> Plan:
    return allow(Plan(target, addresses, (), load), consent)


FREE = [
    Load(1000, rate=50.0),
    Load(50),
    Load(10, rate=500.0),
    Load(None, 20.0, rate=50.0),
    Load(10**6, 10.0, rate=5.0),
]
MUCH = [
    Load(1001, rate=50.0),
    Load(1000, rate=51.0),
    Load(20_000),
    Load(1001),
    Load(None, 21.0, rate=50.0),
    Load(None, 30.0),
    Load(None, 3600.0, rate=1.0),
    Load(51, rate=50.5),
]


@pytest.mark.parametrize("load", FREE, ids=str)
def test_a_visitors_load_needs_no_consent(load: Load) -> None:
    allowed = allowed_for(load, PUBLIC)

    assert allowed.load == load
    assert allowed.authorized is None


@pytest.mark.parametrize("load", MUCH, ids=str)
def test_more_against_a_public_address_is_refused(load: Load) -> None:
    with pytest.raises(UsageError, match=r"edge.example.com \(8.8.8.8\) is public") as caught:
        allowed_for(load, PRIVATE, PUBLIC)

    hint = str(caught.value.hint)
    assert 'authorized = ["edge.example.com"]' in hint.splitlines()[-1]
    assert "--i-am-authorized" in hint
    assert all(len(line) <= 100 for line in [caught.value.message, *hint.splitlines()])


def test_the_refusal_says_what_the_load_amounts_to() -> None:
    with pytest.raises(UsageError, match="20,000 handshakes at 500/s") as caught:
        allowed_for(Load(20_000, rate=500.0), PUBLIC)

    assert "100 MB of traffic" in str(caught.value.hint)
    assert "20,000 new visitors" in str(caught.value.hint)


def test_a_long_name_keeps_the_message_short_and_the_line_exact() -> None:
    name = ".".join(["a" * 49] * 5)

    with pytest.raises(UsageError) as caught:
        allowed_for(Load(10**6, 86_399.5, rate=12_345.678), PUBLIC, target=Target(name))

    assert len(caught.value.message) <= 160
    assert f'["{name}"]' in str(caught.value.hint)


@pytest.mark.parametrize("load", MUCH, ids=str)
def test_nobodys_leave_is_needed_for_ones_own_addresses(load: Load) -> None:
    allowed = allowed_for(load, PRIVATE, Address("::1", 443))

    assert allowed.load == load
    assert allowed.authorized is None


@pytest.mark.parametrize("load", MUCH, ids=str)
def test_consent_is_kept_for_the_record(load: Load) -> None:
    allowed = allowed_for(load, PUBLIC, consent=["--i-am-authorized"])

    assert allowed.load == load
    assert allowed.authorized == "--i-am-authorized, for edge.example.com:443 at 8.8.8.8:443"


def test_the_record_says_what_the_consent_covers() -> None:
    many = [Address(f"9.9.9.{n}", 8443) for n in range(6)]
    target = Target("2001:4860::8", 8443)

    assert allowed_for(MUCH[0], *many, consent=["yes"]).authorized == (
        "yes, for edge.example.com:443 at 9.9.9.0:8443, 9.9.9.1:8443, 9.9.9.2:8443 and 3 more"
    )
    literal = allowed_for(MUCH[0], Address(target.host, 8443), consent=["yes"], target=target)
    assert literal.authorized == "yes, for [2001:4860::8]:8443"


@pytest.mark.parametrize(
    ("ip", "load", "allowed"),
    [
        ("10.1.2.3", MUCH[0], False),
        ("fd00::7", MUCH[2], False),
        ("8.8.8.8", MUCH[1], False),
        ("10.1.2.3", FREE[0], True),
        ("127.0.0.9", MUCH[2], True),
        ("::1", MUCH[2], True),
    ],
)
def test_addresses_of_a_strangers_profile_are_strangers(ip: str, load: Load, allowed: bool) -> None:
    plan_ = Plan(HOST, (Address(ip, 443),), (), load)

    if allowed:
        assert allow(plan_, (), foreign=True) == plan_
        return
    with pytest.raises(
        UsageError, match=rf"only the profile names .*{ip}.* need consent"
    ) as caught:
        allow(plan_, (), foreign=True)
    lines = str(caught.value.hint).splitlines()
    assert "--address" in " ".join(lines)
    assert all(len(line) <= 100 for line in [caught.value.message, *lines])


def test_a_closed_loop_against_a_public_address_is_paced() -> None:
    allowed = allowed_for(Load(1000), PUBLIC)

    assert allowed.load == Load(1000, rate=50.0)
    assert "paced to 50/s" in allowed.notes[0]


def test_the_total_is_bounded_by_count_and_by_time() -> None:
    assert total_of(Load(None, 10.0)) is None
    assert total_of(Load(None, 10.0, rate=0.25)) == 3
    assert total_of(Load(2, 10.0, rate=1.0)) == 2
    assert exceeds(Load(None, 10.0))


def plan(load: Load, *, authorized: str | None = None, sources: tuple[str, ...] = ()) -> Plan:
    return Plan(
        HOST, (PRIVATE,), (Client("generic"),), load, authorized=authorized, sources=sources
    )


def connected(a_plan: Plan, *ips: str) -> list[str]:
    async def ask(target: Target, resolver: str | None, /) -> Resolution:
        return Resolution(tuple(Address(ip, target.port) for ip in ips), 30.0)

    guard = Guard(a_plan, ask, reaches=lambda ip: ip != NO_WAY)
    found = trio.run(guard, HOST, None)
    return [address.ip for address in found.addresses]


def test_a_public_address_may_not_join_a_run_that_nobody_consented_to() -> None:
    assert connected(plan(Load(20_000)), "10.1.2.4", "8.8.8.8") == ["10.1.2.4"]


@pytest.mark.parametrize("load", FREE, ids=str)
def test_a_public_address_may_join_a_small_run(load: Load) -> None:
    assert connected(plan(load), "10.1.2.4", "8.8.8.8") == ["10.1.2.4", "8.8.8.8"]


def test_a_public_address_may_join_where_consent_was_given() -> None:
    agreed = plan(Load(20_000), authorized="--i-am-authorized")

    assert connected(agreed, "8.8.8.8", "::1") == ["8.8.8.8", "::1"]
    assert connected(replace(agreed, sources=("127.0.0.1",)), "8.8.8.8", "::1") == ["8.8.8.8"]


def test_an_address_that_this_machine_cannot_reach_does_not_join() -> None:
    assert connected(plan(Load(10)), "10.1.2.4", NO_WAY) == ["10.1.2.4"]


def test_a_name_with_no_address_left_is_an_error_and_not_an_empty_run() -> None:
    with pytest.raises(UsageError, match="no longer has an address"):
        connected(plan(Load(20_000)), "8.8.8.8")


def test_the_guard_can_be_sent_to_another_process() -> None:
    guard = Guard(plan(Load(20_000)))

    assert pickle.loads(pickle.dumps(guard)) == guard


def test_no_public_address_joins_a_search_because_it_is_short() -> None:
    """From 1/s for 5 s it doubles: nobody agreed to what it ends with."""
    search = replace(plan(Load(None, 5.0, rate=1.0)), find_limit="failing<1%")

    assert connected(search, "10.1.2.4", "8.8.8.8") == ["10.1.2.4"]


def test_the_connections_of_the_resumption_matrix_count() -> None:
    few = Plan(HOST, (PUBLIC,), (), Load(520, rate=50.0), backends=True)
    many = replace(few, load=Load(521, rate=50.0))

    assert allow(few, ()).authorized is None
    with pytest.raises(UsageError, match="1,001 handshakes"):
        allow(many, ())
    assert allow(replace(many, backends=False), ()).authorized is None
