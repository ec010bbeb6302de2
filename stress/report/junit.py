"""The JUnit form, for the test tab of a CI system: which checks were made, and which failed.

The names of the cases do not change from run to run, so that a CI system can follow them. With
assertions they alone are the cases, because then they alone decide. A case that could not be
decided, or a run that says nothing about the target, is an error and not a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from stress.model.plan import with_label
from stress.model.summary import Answer, Summary
from stress.report.wording.context import to_settle
from stress.text import numbers
from stress.text.escape import escape, shell_line

_LONGEST = 4_000
_UNDECIDED = frozenset({Answer.INCONCLUSIVE, Answer.INVALID, Answer.INTERRUPTED})


class JunitReport:
    """One test suite with a case for the run itself, and one for each assertion or address."""

    def render(self, summary: Summary) -> str:
        """The XML document. Its failures and errors are none exactly when the run is clean."""
        suite = Element("testsuite", name=_shown(f"tls-stress {summary.run.target}"))
        run = _case(suite, summary, "the run is valid", summary.run.duration_s)
        if summary.verdict in (Answer.INVALID, Answer.INTERRUPTED):
            _add(run, "error", summary.verdict.value, summary.lines.valid, summary.validity.reasons)
        for assertion in summary.assertions:
            case = _case(suite, summary, assertion.expression)
            value = "unknown" if assertion.value is None else f"{assertion.value:g}"
            message = f"{assertion.expression}: the value is {value}"
            if assertion.holds == "no":
                _add(case, "failure", "assertion", message, [summary.headline])
            elif assertion.holds != "yes":
                lines = [to_settle(assertion), shell_line(assertion.command)]
                _add(case, "error", "inconclusive", f"{message}; undecided", lines)
        if not summary.assertions:
            _add_handshakes(suite, summary)
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


def _add_handshakes(suite: Element, summary: Summary) -> None:
    """Whether handshakes succeed at all, and at each address."""
    noun = "attempts" if summary.run.records else "handshakes"
    case = _case(suite, summary, f"{noun} succeed")
    if summary.failures.count:
        lines = [summary.lines.where, summary.lines.what, summary.lines.who]
        for cause in summary.causes:
            lines.append(f"{cause.rank}. {cause.category}: {cause.sentence}")
            lines += [f"fix: {cause.fix}"] if cause.fix else []
        _add(case, "failure", "failing", summary.headline, [*lines, summary.lines.prove])
    elif summary.verdict in _UNDECIDED:
        _add(case, "error", summary.verdict.value, summary.headline, ())
    for line in summary.addresses:
        name = with_label(line.address, line.label)
        case = _case(suite, summary, f"handshakes succeed at {name}")
        if line.failures:
            failed = numbers.of(line.failures, line.attempts)
            message = f"{failed} failed, 95% CI {numbers.interval(line.interval)}"
            _add(case, "failure", "failing", message, ())


def _case(suite: Element, summary: Summary, name: str, took_s: float = 0.0) -> Element:
    """A case; the first one has the time of the whole run, and the others are read off it."""
    group = _shown(f"tls-stress.{summary.run.target}")
    return SubElement(suite, "testcase", classname=group, name=_shown(name), time=f"{took_s:.3f}")


def _add(case: Element, kind: str, about: str, message: str, lines: Sequence[str]) -> None:
    trouble = SubElement(case, kind, type=about, message=_shown(message))
    trouble.text = "\n".join(_shown(line) for line in lines if line)


def _shown(text: str) -> str:
    """Without characters that XML 1.0 forbids; the library escapes the rest."""
    return escape(text, longest=_LONGEST)
