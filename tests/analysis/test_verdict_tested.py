from dataclasses import replace

from stress.analysis.tally import count
from stress.analysis.verdict import duration_s, policy_names, untested
from stress.model.claims import Untested
from stress.model.plan import Address, Client, Trust
from stress.model.run import RunFacts

NOTHING = count([])


def test_what_was_not_tested_is_listed(facts: RunFacts) -> None:
    gaps = untested(facts, NOTHING, [Address("127.0.0.1", 443)])

    assert set(gaps) == set(Untested) - {Untested.IPV4}


def test_policies_are_the_clients_or_the_override(facts: RunFacts) -> None:
    clients = (Client("a", policy="apple"), Client("b", policy="chrome"))
    plan = replace(facts.plan, clients=clients)

    assert policy_names(plan) == "apple, chrome"
    assert policy_names(replace(plan, trust=Trust(policy="go"))) == "go"
    assert Untested.OTHER_CLIENTS not in untested(replace(facts, plan=plan), NOTHING, ())


def test_no_run_lasts_less_than_nothing(facts: RunFacts) -> None:
    assert duration_s(facts) == 20.0
    assert duration_s(replace(facts, ended_ns=facts.started_ns - 5)) == 0.0
    assert duration_s(replace(facts, ended_ns=None)) is None
