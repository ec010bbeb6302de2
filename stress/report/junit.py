"""The JUnit form, for the test tab of a CI system: which checks were made, and which failed.

The names of the cases do not change from run to run, so that a CI system can follow them. With
assertions they alone are the cases, because then they alone decide. A case that could not be
decided, or a run that says nothing about the target, is an error and not a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from stress.model.summary import AddressLine, Answer, Assertion, Cause, Summary
from stress.text import numbers
from stress.text.escape import escape

_LONGEST = 4_000
_UNDECIDED = frozenset({Answer.INCONCLUSIVE, Answer.INVALID, Answer.INTERRUPTED})


class JunitReport:
    """One test suite with a case for the run itself, and one for each assertion or address."""

    def render(self, summary: Summary) -> str:
        """The XML document. Its failures and errors are none exactly when the run is clean."""
        suite = Element("testsuite", name=_shown(f"tls-stress {summary.run.target}"))
        for case in _cases(summary):
            suite.append(case)
        suite.set("tests", str(len(suite)))
        for kind in ("failure", "error"):
            suite.set(f"{kind}s", str(len(suite.findall(f"testcase/{kind}"))))
        suite.set("skipped", "0")
        suite.set("time", f"{summary.run.duration_s:.3f}")
        suite.set("timestamp", summary.run.started.removesuffix("Z"))
        suite.set("hostname", _shown(summary.run.host))
        root = Element("testsuites")
        root.append(suite)
        indent(root)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _cases(summary: Summary) -> Iterator[Element]:
    yield _run(summary)
    if summary.assertions:
        for assertion in summary.assertions:
            yield _assertion(summary, assertion)
        return
    yield _handshakes(summary)
    for line in summary.addresses:
        yield _address(summary, line)


def _run(summary: Summary) -> Element:
    """Whether the run is valid, and finished."""
    case = _case(summary, "the run is valid")
    if summary.verdict in (Answer.INVALID, Answer.INTERRUPTED):
        _add(case, "error", summary.verdict.value, summary.lines.valid, summary.validity.reasons)
    return case


def _handshakes(summary: Summary) -> Element:
    case = _case(summary, "handshakes succeed")
    if summary.failures.count:
        causes = [line for cause in summary.causes for line in _cause(cause)]
        text = [summary.lines.where, summary.lines.what, summary.lines.who, *causes]
        _add(case, "failure", "failing", summary.headline, [*text, summary.lines.prove])
    elif summary.verdict in _UNDECIDED:
        _add(case, "error", summary.verdict.value, summary.headline, ())
    return case


def _cause(cause: Cause) -> Iterator[str]:
    yield f"{cause.rank}. {cause.category}: {cause.sentence}"
    if cause.fix:
        yield f"fix: {cause.fix}"


def _address(summary: Summary, line: AddressLine) -> Element:
    name = f"{line.address} ({line.label})" if line.label else line.address
    case = _case(summary, f"handshakes succeed at {name}")
    if line.failures:
        share = numbers.percent(line.failures / line.attempts)
        said = (
            f"{numbers.thousands(line.failures)} of {numbers.thousands(line.attempts)} failed "
            f"({share}, 95% CI {numbers.interval(line.interval)})"
        )
        _add(case, "failure", "failing", said, ())
    return case


def _assertion(summary: Summary, assertion: Assertion) -> Element:
    case = _case(summary, assertion.expression)
    value = "unknown" if assertion.value is None else f"{assertion.value:g}"
    said = f"{assertion.expression}: the value is {value}"
    if assertion.holds == "no":
        _add(case, "failure", "assertion", said, [summary.headline])
    elif assertion.holds != "yes":
        _add(case, "error", "inconclusive", f"{said}; undecided", ())
    return case


def _case(summary: Summary, name: str) -> Element:
    group = _shown(f"tls-stress.{summary.run.target}")
    return Element("testcase", classname=group, name=_shown(name))


def _add(
    case: Element, kind: str, about: str, message: str, lines: tuple[str, ...] | list[str]
) -> None:
    trouble = SubElement(case, kind, type=about, message=_shown(message))
    trouble.text = "\n".join(_shown(line) for line in lines if line)


def _shown(text: str) -> str:
    """Without characters that XML 1.0 forbids; the library escapes the rest."""
    return escape(text, longest=_LONGEST)
