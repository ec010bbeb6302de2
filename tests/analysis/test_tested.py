from dataclasses import replace

from stress.analysis.tally import count
from stress.analysis.tested import asked, duration_s, policy_names, untested, whence
from stress.model.client import Client
from stress.model.plan import Load, Trust
from stress.model.run import RunFacts
from stress.model.target import Address

NOTHING = count([])


def test_how_we_asked_is_one_line(facts: RunFacts) -> None:
    text = asked(facts, NOTHING, [Address("127.0.0.1", 443)])

    assert text.startswith(
        "Asked lab.test:443 as generic over the address 127.0.0.1:443, SNI lab.test, "
        "trust store ca.pem (1 anchor), policy any."
    )
    assert "IPv6 addresses" in text
    assert "resumed sessions" in text


def test_many_addresses_are_counted_and_no_sni_is_said(facts: RunFacts) -> None:
    plan = replace(facts.plan, server_name=None)
    text = asked(replace(facts, plan=plan), NOTHING, [Address("::1", n) for n in range(1, 6)])

    assert "5 addresses, each sampled equally" in text
    assert "and 2 more" in text
    assert "no SNI" in text


def test_policies_are_the_clients_or_the_override(facts: RunFacts) -> None:
    clients = (Client("a", policy="apple"), Client("b", policy="chrome"))
    plan = replace(facts.plan, clients=clients)

    assert policy_names(plan) == "apple, chrome"
    assert policy_names(replace(plan, trust=Trust(policy="go"))) == "go"
    assert "other clients" not in untested(replace(facts, plan=plan), NOTHING, ())


def test_from_where_and_when(facts: RunFacts) -> None:
    assert whence(facts, NOTHING) == (
        "From host.test (127.0.0.1), 2026-09-21 14:13:20 UTC, 0 handshakes in 20 s (0/s), "
        "1 process."
    )
    plan = replace(facts.plan, load=Load(processes=2))
    text = whence(replace(facts, plan=plan, ended_ns=None, host=""), NOTHING)
    assert text.startswith("From this machine")
    assert text.endswith("in an unknown time, 2 processes.")
    assert duration_s(replace(facts, ended_ns=facts.started_ns - 5)) == 0.0
