from collections.abc import Callable

import pytest

from stress.analysis.chains import by_frequency, chain_lines, difference, reference
from stress.model.chain import Verdict
from stress.model.outcome import Category
from stress.model.run import Cell, Run, SeenChain
from stress.report.summary import summarize
from stress.runner.judge import repair_chains
from stress.trust import Anchors, Judge
from tests.trust.certificates import AT, HOST, authorities
from tests.trust.defects import good


def test_lines_come_commonest_first_with_what_differs(
    pki: object,
    seen: Callable[..., SeenChain],
    finding: Callable[[SeenChain, Category], Verdict],
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    alone, whole = leaf_and_more
    lines = chain_lines([alone, whole], [finding(alone, Category.INCOMPLETE_CHAIN)])

    assert [line.seen for line in lines] == [90, 10]
    assert lines[0].differs == ""
    assert "missing" in lines[1].differs
    assert lines[1].share == 0.1
    assert lines[1].problems == {"any": ("incomplete-chain",)}
    assert lines[0].subject == "lab.test"


def test_what_no_policy_refuses_is_not_a_problem(
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    alone, _ = leaf_and_more
    lines = chain_lines([alone], [Verdict(alone.sha256, "chrome", "lab.test", 0, ())])

    assert lines[0].problems == {}


def test_others_are_compared_with_the_commonest_good_chain(
    leaf_and_more: tuple[SeenChain, SeenChain],
) -> None:
    alone, whole = leaf_and_more

    assert by_frequency([alone, whole]) == [whole, alone]
    assert reference([alone, whole], {alone.id}) is alone
    assert reference([alone, whole], ()) is whole
    assert reference([], ()) is None


def test_an_empty_certificate_message_is_described(
    seen: Callable[..., SeenChain], leaf_and_more: tuple[SeenChain, SeenChain]
) -> None:
    nothing = seen(9, [], 1)

    assert difference(leaf_and_more[1], nothing) == "no certificate at all"
    assert chain_lines([nothing], ())[0].subject == ""


def test_garbage_instead_of_certificates_is_a_line(seen: Callable[..., SeenChain]) -> None:
    lines = chain_lines([seen(1, [b"\x00\xff"], 3), seen(2, [b"\x30"], 1)], ())

    assert [line.certificates for line in lines] == [1, 1]


URL = "http://ca.test/intermediate.cer"


@pytest.fixture
def judge() -> Judge:
    return Judge(Anchors((authorities().root.der,), "test", private=True))


@pytest.fixture
def alone(recorded: Callable[..., Run], cell: Callable[..., Cell], judge: Judge) -> Run:
    """A run in which one handshake in ten met a leaf without its intermediate."""

    def verdict(chain: SeenChain) -> Verdict:
        return judge.judge(chain.certificates, host=HOST, at=AT, policy="any")

    whole = good(issuer_url=URL)
    chains = [
        SeenChain(number, bytes([number]) * 32, sent, 10, 0, 0)
        for number, sent in ((1, whole), (2, whole[:1]))
    ]
    verdicts = [
        Verdict(chain.sha256, made.policy, made.host, made.at, made.findings, made.families)
        for chain in chains
        for made in (verdict(chain),)
    ]
    cells = [cell(90), cell(10, chain=2, outcome="incomplete-chain")]
    return recorded(cells, chains=chains, verdicts=verdicts)


def test_what_is_missing_is_fetched_and_proven_to_be_all(alone: Run, judge: Judge) -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return authorities().intermediate.der

    (said,) = repair_chains(alone, judge, fetch)

    assert asked == [URL]
    assert said.startswith("Proven: with ")
    assert URL in said
    assert "chain 020202020202 is accepted" in said
    assert summarize(alone, repairs=(said,)).lines.fix.endswith(said)
    assert f"It is available at {URL}." in summarize(alone).lines.fix


def test_what_cannot_be_fetched_is_reported(alone: Run, judge: Judge) -> None:
    def fetch(url: str) -> bytes:
        raise OSError("no route\x1b[31m")

    (said,) = repair_chains(alone, judge, fetch)

    assert said.startswith("Not proven: ")
    assert "no route" in said
    assert "\x1b" not in said


def test_another_certificate_does_not_help(alone: Run, judge: Judge) -> None:
    (said,) = repair_chains(alone, judge, lambda _: authorities().other_intermediate.der)

    assert said.startswith("Not proven: ")


def test_a_good_run_lacks_nothing(
    recorded: Callable[..., Run], cell: Callable[..., Cell], judge: Judge
) -> None:
    assert repair_chains(recorded([cell(9)]), judge, lambda _: b"") == ()
