from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.model.summary import Answer, Assertion, Failures, Summary, Validity
from stress.report.junit import JunitReport


def suite(summary: Summary) -> ET.Element:
    found = ET.fromstring(JunitReport().render(summary)).find("testsuite")
    assert found is not None
    return found


def troubles(summary: Summary) -> dict[str | None, str]:
    """Name of the case -> `failure` or `error`; without the good ones."""
    return {case.get("name"): each.tag for case in suite(summary).iter("testcase") for each in case}


def clean(summary: Summary) -> Summary:
    good = Failures(0, 0.0, summary.failures.interval, {})
    addresses = tuple(replace(line, failures=0) for line in summary.addresses)
    return replace(summary, verdict=Answer.CLEAN, failures=good, causes=(), addresses=addresses)


def test_a_failing_run_fails_its_cases_and_says_why(summary: Summary) -> None:
    found = suite(summary)
    failure = found.find("testcase/failure")

    assert troubles(summary) == {
        "handshakes succeed": "failure",
        "handshakes succeed at edge (127.0.0.1:8443)": "failure",
    }
    assert (found.get("tests"), found.get("failures"), found.get("errors")) == ("3", "2", "0")
    assert failure is not None
    assert failure.get("message") == summary.headline
    assert summary.causes[0].sentence in (failure.text or "")
    assert summary.causes[0].fix in (failure.text or "")


def test_a_clean_run_has_no_trouble_and_the_same_cases(summary: Summary) -> None:
    names = [case.get("name") for case in suite(clean(summary)).iter("testcase")]

    assert troubles(clean(summary)) == {}
    assert names == [case.get("name") for case in suite(summary).iter("testcase")]


def test_each_case_has_a_time_and_together_they_take_as_long_as_the_run(summary: Summary) -> None:
    found = suite(summary)
    times = [float(case.attrib["time"]) for case in found.iter("testcase")]

    assert len(times) == 3
    assert sum(times) == float(found.attrib["time"]) > 0.0


@pytest.mark.parametrize("verdict", [Answer.INVALID, Answer.INTERRUPTED])
def test_what_says_nothing_about_the_target_is_an_error(summary: Summary, verdict: Answer) -> None:
    void = Validity(valid=False, reasons=("out of ports",))
    told = troubles(replace(clean(summary), verdict=verdict, validity=void))

    assert told == {"the run is valid": "error", "handshakes succeed": "error"}


def test_assertions_alone_are_the_cases_when_there_are_any(summary: Summary) -> None:
    assertions = (
        Assertion("failing<1%", "yes", 0.0049),
        Assertion("p99.server<1ms", "no", 2.1),
        Assertion("chains==1", "unknown", None),
    )
    told = troubles(replace(summary, assertions=assertions))

    assert told == {"p99.server<1ms": "failure", "chains==1": "error"}


def test_an_open_assertion_says_what_settles_it(summary: Summary) -> None:
    argv = ("tls-stress", "run", "a.test", "-n", "900", "--assert", "failing<1%")
    open_ = Assertion("failing<1%", "unknown", 0.0, needed=400, command=argv)
    error = next(suite(replace(summary, assertions=(open_,))).iter("error"))

    assert (error.text or "").splitlines() == [
        "failing<1% (about 400 more handshakes, coming out like these, would settle it)",
        "tls-stress run a.test -n 900 --assert 'failing<1%'",
    ]


@given(st.text(st.characters()))
def test_any_name_gives_a_document_that_xml_allows(name: str) -> None:
    document = JunitReport().render(_named(name))

    assert ET.fromstring(document.encode("utf-8")) is not None


def _named(name: str) -> Summary:
    odd = _SUMMARY[0]
    line = replace(odd.addresses[0], label=name)
    return replace(odd, headline=name, addresses=(line,), run=replace(odd.run, target=name))


_SUMMARY: list[Summary] = []


@pytest.fixture(autouse=True)
def _keep(summary: Summary) -> None:
    """Hypothesis asks for values, not for fixtures that are made anew."""
    _SUMMARY[:] = [summary]
