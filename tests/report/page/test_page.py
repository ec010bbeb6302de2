import base64
import re
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from stress.model.limit import Knob, Limit, Standing, Step
from stress.model.summary import (
    Answer,
    Assertion,
    BackendCount,
    BackendLine,
    Quantiles,
    Summary,
    Unexplained,
    Validity,
)
from stress.report.markdown import MarkdownReport
from stress.report.page.page import PageReport
from stress.report.summary import summarize
from stress.report.terminal import TerminalReport
from stress.store import RunFile, open_run
from tests.report.page.test_page_timelines import transcript

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """Every element with its attributes, and the text between."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [found[attribute] or "" for _, found in self.elements if attribute in found]


@pytest.fixture(scope="module")
def document(page_run: RunFile, page_summary: Summary) -> str:
    return PageReport(page_run).render(page_summary)


@pytest.fixture(scope="module")
def hostile(hostile_run: RunFile) -> str:
    return PageReport(hostile_run).render(summarize(hostile_run))


def test_it_begins_with_the_verdict_and_shows_every_part(
    document: str, page_summary: Summary
) -> None:
    page = Page(document)

    assert page_summary.headline in page.text
    assert page.text.index("failing") < page.text.index("Causes")
    for heading in ("Causes", "The good chain", "Failures", "Failure rate", "Latency", "The run,"):
        assert heading in page.text
    assert "This certificate was not sent" in page.text
    assert page_summary.causes[0].sentence in page.text


def test_the_policy_names_exactly_the_style_and_the_script_that_are_there(document: str) -> None:
    for element in ("style", "script"):
        (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", document, re.DOTALL)
        digest = base64.b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{element}-src &#x27;sha256-{digest}&#x27;" in document
    assert "default-src &#x27;none&#x27;" in document


@pytest.mark.parametrize("which", ["document", "hostile"])
def test_nothing_is_fetched_styled_or_run_beside_them(
    which: str, request: pytest.FixtureRequest
) -> None:
    page = Page(request.getfixturevalue(which))
    attributes = [name for _, found in page.elements for name in found]
    tags = [tag for tag, _ in page.elements]

    assert tags.count("script") == tags.count("style") == 1
    assert not {"iframe", "img", "object", "embed", "form", "base"} & set(tags)
    assert not [name for name in attributes if name.startswith("on") or name in {"style", "src"}]
    assert {href[:1] for href in page.values("href")} <= {"#", "d"}
    identifiers = page.values("id")
    assert len(identifiers) == len(set(identifiers))


def test_hostile_names_are_text_that_shows_what_it_holds(hostile: str) -> None:
    page = Page(hostile)

    assert "alert(1)" in page.text
    assert "<script>alert(1)" in page.text
    assert "\\x1b[2J" in page.text
    assert not set(hostile) & set("\x1b\u202e")


def test_the_exact_figures_of_the_summary_stand_beside_the_rounded(
    document: str, page_summary: Summary
) -> None:
    found = {
        attributes["data-name"]: attributes.get("data-value")
        for _, attributes in Page(document).elements
        if "data-name" in attributes and "data-value" in attributes
    }

    assert found["attempts"] == str(page_summary.attempts)
    assert found["failures.count"] == str(page_summary.failures.count)
    assert float(found["failures.share"] or "") == page_summary.failures.share
    assert repr(page_summary.latency["server"].p99) in document


def test_servers_are_a_table_with_what_each_sends_and_since_when(
    page_run: RunFile, page_summary: Summary
) -> None:
    where = page_summary.addresses[0]
    lines = [
        BackendLine(
            *("<b>node-2</b>", "header", where.address, 100, 60, where.interval, where.latency),
            *({"ab" * 32: 60, "cd" * 32: 40}, "2026-11-30T23:59:58.000Z"),
            *("2026-12-01T00:00:03.000Z", "2026-12-01T00:00:01.000Z"),
        ),
        BackendLine("node-1", "header", None, 300, 0, where.interval),
    ]
    count = BackendCount("header", 400, 0, 2, 2.0, 2, 0.0075)
    known = replace(page_summary, backends=tuple(lines), backend_count=count)
    begun = replace(known.run, started="2026-12-01T00:00:00.000Z")

    document = PageReport(page_run).render(replace(known, run=begun))

    (table,) = re.findall(r'<table[^>]*data-name="backend">.*?</table>', document, re.DOTALL)
    text = " ".join(Page(table).text.split())
    assert "<b>node-2</b>" in text
    assert "abababababab 60cdcdcdcdcdcd 40" in text
    assert "11-30 23:59:58–00:00:03failing since 00:00:01" in text  # noqa: RUF001 - a range
    assert [repr(0.6), repr(0.0)] == re.findall(r'class="figure" data-value="([01]\.\d+)"', table)
    assert "a header of their answer" in document
    assert "Servers behind the addresses" in document


ODD: list[dict[str, Any]] = [
    {"verdict": Answer.CLEAN, "causes": ()},
    {"verdict": Answer.INVALID, "validity": Validity(valid=False, reasons=("no network",))},
    {"verdict": Answer.INCONCLUSIVE, "assertions": (Assertion("p99<5ms", "unknown", None),)},
    {"verdict": Answer.INTERRUPTED, "unexplained": Unexplained(7)},
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd["verdict"]))
def test_every_verdict_has_its_page(
    odd: dict[str, Any], page_run: RunFile, page_summary: Summary
) -> None:
    page = Page(PageReport(page_run).render(replace(page_summary, **odd)))

    assert odd["verdict"].value in page.text
    assert ("This run says nothing about the target" in page.text) == ("validity" in odd)
    assert ("Assertions" in page.text) == ("assertions" in odd)
    assert ("7 failures with nothing recorded in common" in page.text) == ("unexplained" in odd)


def test_what_was_kept_of_a_failure_is_shown(page_run: RunFile, page_summary: Summary) -> None:
    kept = transcript("reset", [b"\x16\x03\x01\x00\x08\x01\x00\x00\x04aaaa", b"\x1b[2J<blink>"])

    page = Page(PageReport(page_run, [kept]).render(page_summary))

    assert "One failure beside a good connection" in page.text
    assert "no good connection was recorded" in page.text
    assert "\x1b" not in page.text
    assert "blink" not in [tag for tag, _ in page.elements]


def test_a_search_for_the_limit_has_its_table(page_run: RunFile, page_summary: Summary) -> None:
    held = Step(100.0, 5.0, 400, 0, 0, 1500.0, 9000.0, Standing.HELD, "p99 9.0 ms")
    gave = Step(200.0, 5.0, 800, 90, 5, None, None, Standing.GAVE_WAY, "11% failed")
    limit = Limit(
        "failing<1%",
        (held, gave),
        100.0,
        200.0,
        confirmed=True,
        gave_way="reset",
        generator_limited=False,
    )

    empty = replace(limit, steps=(), sustained=None, of="rsa-only, full")

    page = Page(PageReport(page_run).render(replace(page_summary, limits=(limit, empty))))

    for words in ("The search for the limit", "✓ held", "✗ gave way", "11% failed", "200/s"):
        assert words in page.text
    assert "The search for the limit: rsa-only, full" in page.text
    assert page.text.count("The band is the knee") == 1, "without steps there is nothing to draw"


def test_a_search_over_the_concurrency_speaks_of_no_rate(
    page_run: RunFile, page_summary: Summary
) -> None:
    steps = (
        Step(63.0, 5.0, 400, 0, 0, 1500.0, 9000.0, Standing.HELD, ""),
        Step(64.0, 5.0, 400, 90, 0, 1500.0, 9000.0, Standing.GAVE_WAY, ""),
    )
    limit = Limit(
        "failing<1%",
        steps,
        63.0,
        64.0,
        confirmed=True,
        gave_way="reset",
        generator_limited=False,
        knob=Knob.CONCURRENCY,
    )

    page = Page(PageReport(page_run).render(replace(page_summary, limits=(limit,))))

    assert "63 at once" in page.text
    assert not any(words in page.text for words in ("offered a second", "63/s", "64/s"))


def test_latency_from_the_intended_and_from_the_real_start_stand_side_by_side(
    page_run: RunFile, page_summary: Summary
) -> None:
    late = {**page_summary.latency, "attempt": page_summary.latency["connect"]}

    page = Page(PageReport(page_run).render(replace(page_summary, latency=late)))
    same = Page(PageReport(page_run).render(page_summary))

    assert "the difference is what a closed loop does not measure" in page.text
    assert "their difference" not in same.text


def test_every_form_of_the_report_shows_the_time_before_tls(
    page_run: RunFile, page_summary: Summary
) -> None:
    """A proxy's before that of STARTTLS, the order in which they pass."""
    waited = Quantiles(123_456.0, 234_567.0, 345_678.0, 456_789.0, 567_891.0)
    asked = {**page_summary.latency, "starttls": waited, "proxy": waited}
    summary = replace(page_summary, latency=asked)

    for form in (TerminalReport(), MarkdownReport(), PageReport(page_run)):
        text = form.render(summary)
        lines = [line for line in text.splitlines() if "123" in line and "568" in line]
        assert ["starttls" in line for line in lines] == [False, True], text
        assert "proxy" in lines[0]


def test_a_run_in_which_nothing_was_attempted_has_a_page(write_page_run: Any) -> None:
    with open_run(write_page_run(attempts=0)) as run:
        page = Page(PageReport(run).render(summarize(run)))

    assert "says nothing about the target" in page.text
    assert "Failures over time" not in page.text
