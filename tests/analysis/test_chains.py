from collections.abc import Callable

from stress.analysis.chains import by_frequency, chain_lines, difference, reference
from stress.model.outcome import Category
from stress.model.run import SeenChain
from stress.model.verdict import Verdict


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


def test_what_nobody_refuses_is_no_problem(
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


def test_an_empty_certificate_message_is_told(
    seen: Callable[..., SeenChain], leaf_and_more: tuple[SeenChain, SeenChain]
) -> None:
    nothing = seen(9, [], 1)

    assert difference(leaf_and_more[1], nothing) == "no certificate at all"
    assert chain_lines([nothing], ())[0].subject == ""


def test_garbage_instead_of_certificates_is_a_line(seen: Callable[..., SeenChain]) -> None:
    lines = chain_lines([seen(1, [b"\x00\xff"], 3), seen(2, [b"\x30"], 1)], ())

    assert [line.certificates for line in lines] == [1, 1]
