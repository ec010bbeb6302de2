import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from stress.model.plan import Load, Segment
from stress.model.run import RunFacts
from stress.model.summary import Summary
from stress.report.page.page import PageReport
from stress.store import RunFile

pytestmark = pytest.mark.slow


class WithLoad:
    """A recorded run as if it had been planned with another load."""

    def __init__(self, run: RunFile, load: Load) -> None:
        self._run, self._load = run, load

    def facts(self) -> RunFacts:
        facts = self._run.facts()
        return replace(facts, plan=replace(facts.plan, load=self._load))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)


def parameters(run: Any, summary: Summary) -> dict[str, str]:
    """What stands in the list at the end of the page."""
    _, _, document = PageReport(run).render(summary).rpartition('<dl class="parameters">')
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", document)
    return {unescape(label): unescape(value) for label, value in found}


def test_what_is_needed_to_repeat_the_run_is_there(
    page_run: RunFile, page_summary: Summary
) -> None:
    found = parameters(page_run, page_summary)

    assert found["target"] == "good.test:443"
    assert found["clients"] == "generic, ios-urlsession"
    assert found["ios-urlsession is sent by"] == "boringssl"
    assert found["planned"] == "1,000 handshakes"
    assert found["trust anchors"] == "ca.pem (0 anchors, private)"
    assert found["ended"] == "completed"
    assert found["python"] == "3"
    # What was not chosen is left out.
    assert not {"profile", "resolver", "PROXY header", "consent", "duration"} & set(found)


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(), "each attempt that ends starts the next (closed loop)"),
        (Load(rate=500.0), "500/s, poisson"),
        (Load(segments=(Segment(10.0, 5.0), Segment(20.0, 5.0))), "in 2 segments, poisson"),
    ],
)
def test_the_load_is_described(
    load: Load, words: str, page_run: RunFile, page_summary: Summary
) -> None:
    assert parameters(WithLoad(page_run, load), page_summary)["offered rate"] == words
