from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.findings import examine
from stress.model.chain import Finding, Refusal, Verdict
from stress.model.outcome import Category
from stress.model.plan import Address, Plan, Trust
from stress.model.run import Cell, Run, SeenChain
from stress.report.summary import summarize
from stress.report.wording.ten_lines import NOBODY, upcoming, who_met_nothing
from stress.trust import describe
from tests.analysis.conftest import BEGUN, SECOND
from tests.trust.certificates import DAY, Wanted, issue

Made = Callable[..., Run]


def judged(chain: SeenChain, policy: str, category: Category, refusal: Refusal) -> Verdict:
    found = Finding(category, 0, "as planted", refusal)
    return Verdict(chain.sha256, policy, "lab.test", BEGUN // SECOND, (found,))


def test_a_clean_run_is_clean_for_everybody(
    recorded: Made, cell: Callable[..., Cell], leaf_and_more: tuple[SeenChain, SeenChain]
) -> None:
    findings = examine(recorded([cell(90)], chains=leaf_and_more[1:]))

    assert who_met_nothing(findings) == NOBODY


def test_a_staple_that_was_never_requested_is_a_doubt(
    recorded: Made, cell: Callable[..., Cell], leaf_and_more: tuple[SeenChain, SeenChain]
) -> None:
    note = judged(leaf_and_more[1], "firefox", Category.MUST_STAPLE_MISSING, Refusal.NO)
    lines = summarize(recorded([cell(90)], chains=leaf_and_more[1:], verdicts=[note])).lines

    assert "demands an OCSP staple" in lines.who
    assert "Test it: --client firefox" in lines.who
    assert lines.fix == "Nothing to fix in what was tested."


def test_clients_that_would_refuse_the_chain_are_named(
    recorded: Made, cell: Callable[..., Cell], leaf_and_more: tuple[SeenChain, SeenChain]
) -> None:
    chain = leaf_and_more[1]
    refused = judged(chain, "chrome", Category.MISSING_SCT, Refusal.YES)
    accepted = [Verdict(chain.sha256, one, "lab.test", 0, ()) for one in ("go", "java", "firefox")]
    run = recorded([cell(90)], chains=[chain], verdicts=[refused, *accepted])

    assert "others refuse lab.test. Fails for " in who_met_nothing(examine(run))
    assert "chrome (" in who_met_nothing(examine(run))


@pytest.mark.parametrize("policy", ["none", None])
def test_what_was_not_looked_at_is_said(
    recorded: Made, cell: Callable[..., Cell], plan: Plan, policy: str | None
) -> None:
    two = [Address("127.0.0.1", 443), Address("127.0.0.2", 443)]
    unjudged = replace(plan, trust=Trust(policy=policy, host="lab.test"))
    words = who_met_nothing(examine(recorded([cell(90)], addresses=two, plan=unjudged)))

    assert "127.0.0.2:443 was not reached by any handshake." in words
    assert ("--policy none" in words) == (policy == "none")


@pytest.mark.parametrize(
    ("starts", "ends", "near"), [(-6, 1, True), (-80, 10, True), (-5, 5, False)]
)
def test_a_certificate_is_near_its_end_by_the_share_of_its_lifetime(
    recorded: Made,
    cell: Callable[..., Cell],
    seen: Callable[..., SeenChain],
    starts: int,
    ends: int,
    near: bool,
) -> None:
    made = issue(Wanted(starts=starts * DAY, ends=ends * DAY))
    now = (describe(made.der).not_before - starts * DAY) * SECOND
    findings = examine(recorded([cell(9)], chains=[seen(1, [made.der], 9)]))
    findings = replace(findings, facts=replace(findings.facts, started_ns=now))

    assert any("of its lifetime is left" in words for words in upcoming(findings)) == near
