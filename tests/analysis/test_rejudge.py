from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.rejudge import RejudgedRun, rejudge
from stress.codes.catalog import POLICY_OF
from stress.model.chain import Verdict
from stress.model.outcome import Category, Stage
from stress.model.run import Cell, Run, SeenChain
from stress.report.summary import summarize
from stress.trust import Anchors, Judge


def test_finished_handshakes_get_the_new_verdict_and_others_keep_theirs(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
    finding: Callable[[SeenChain, Category], Verdict],
) -> None:
    alone, whole = leaf_and_more
    run = recorded(
        [
            cell(90),
            cell(10, chain=2, outcome="incomplete-chain"),
            cell(5, chain=None, outcome="reset", stage=Stage.CLIENT_HELLO),
        ],
        chains=leaf_and_more,
    )
    now = RejudgedRun(run, (finding(whole, Category.EXPIRED_LEAF),), "any", 7)

    assert [one.outcome for one in now.cube().cells] == ["expired-leaf", "ok", "reset"]
    assert now.facts().plan.trust.policy == "any"
    assert summarize(now).failures.categories == {"expired-leaf": 90, "reset": 5}
    assert alone.id == 2


def test_every_chain_is_judged_again(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    anchors = Anchors((leaf_and_more[1].certificates[1],), "test", private=True)
    run = recorded([cell(90), cell(10, chain=2)], chains=leaf_and_more)
    now = rejudge(run, Judge(anchors), policy="openssl", at=4_000_000_000)

    assert {verdict.policy for verdict in now.verdicts()} == {"openssl", *POLICY_OF.values()}
    assert len({verdict.chain for verdict in now.verdicts()}) == 2
    assert all(one.outcome != "ok" for one in now.cube().cells)
    assert summarize(now).run.policy == "openssl"


def test_each_client_keeps_its_policy_when_only_the_time_changes(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    """A leaf alone: one client takes whatever comes, the other does not."""
    plan = recorded([]).facts().plan
    lax, strict = (replace(plan.clients[0], policy=policy) for policy in ("none", "openssl"))
    anchors = Anchors((leaf_and_more[1].certificates[1],), "test", private=True)
    run = recorded(
        [cell(90, chain=2), cell(10, chain=2, client=1)],
        chains=leaf_and_more,
        plan=replace(plan, clients=(lax, strict)),
    )
    now = rejudge(run, Judge(anchors))

    assert [one.outcome != "ok" for one in now.cube().cells] == [False, True]
    assert now.facts().plan.trust.policy == plan.trust.policy


@pytest.mark.parametrize(
    ("outcome", "policy", "restated"),
    [
        ("must-staple-missing", "firefox", "must-staple-missing"),
        ("must-staple-missing", "any", "must-staple-missing"),
        ("must-staple-missing", "apple", "ok"),
        ("bad-staple", "chrome", "ok"),
        ("revoked", "chrome", "revoked"),
        ("revoked", "go", "ok"),
        ("expired-leaf", "firefox", "ok"),
    ],
)
def test_failures_by_staple_stay_where_the_policy_checks_staples(
    outcome: str,
    policy: str,
    restated: str,
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    run = recorded([cell(9, outcome=outcome)], chains=leaf_and_more)

    (one,) = RejudgedRun(run, (), policy, None).cube().cells

    assert one.outcome == restated
