"""Every recorded message again: the judge must find the fault that the real client named."""

from __future__ import annotations

import pytest

from stress.codes.catalog import measured, message
from stress.trust import Anchors, Judge, known_of
from tests.oracles.faults import DOUBLE, SINGLE, Fault
from tests.oracles.making import AT
from tests.oracles.measure import template

POLICY = {
    "go": "go",
    "java-17": "java",
    "java-21": "java-21",
    "python": "openssl",
    "python-3.13": "python-3.13",
    "curl-openssl": "curl",
    "node": "node",
    "chrome": "chrome",
    "firefox": "firefox",
}
"""Client -> its policy."""
RECORDED = {row.fault: row.says for row in (*measured().rows, *measured().double)}


@pytest.mark.parametrize("client", POLICY)
@pytest.mark.parametrize("fault", [*SINGLE, *DOUBLE], ids=lambda one: one.name)
def test_a_client_says_of_a_fault_what_was_recorded(fault: Fault, client: str) -> None:
    made = fault.served(AT)
    judge = Judge(Anchors(made.anchors(), "roots.pem", private=True))
    sent = made.ders()
    verdict = judge.judge(sent, host=made.host, at=AT, policy=POLICY[client])
    recorded = RECORDED[fault.name][client]

    if verdict.headline is None:
        assert "ok" in recorded.split(" | ")
    else:
        words = message(client, verdict.headline.category.value, known_of(sent, verdict))
        assert words is not None
        assert set(template(words, made).split(" | ")) <= set(recorded.split(" | "))


def test_names_and_hosts_of_others_are_escaped() -> None:
    made = next(one for one in SINGLE if one.name == "other name").served(AT)
    judge = Judge(Anchors(made.anchors(), "roots.pem", private=True))
    verdict = judge.judge(made.ders(), host="\x1b[31m.test", at=AT, policy="go")

    assert "\x1b" not in known_of(made.ders(), verdict)["host"]


def test_of_an_accepted_chain_nothing_is_known() -> None:
    made = Fault("good", ()).served(AT)
    judge = Judge(Anchors(made.anchors(), "roots.pem", private=True))
    verdict = judge.judge(made.ders(), host=made.host, at=AT, policy="go")

    assert known_of(made.ders(), verdict) == {}
    assert known_of((b"",), verdict) == {}
