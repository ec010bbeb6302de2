"""Shared by all tests: which real servers are installed, and how many tests lacked one."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

from stress.model.plan import Stack
from stress.planning.connection_options import STACK_VARIABLE
from tests.stacks import HAS_BORINGSSL

# The same examples in every run, and no deadline: a shared machine is slow now and then.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")

# Distributions keep servers where the path of an ordinary user does not look.
os.environ["PATH"] += os.pathsep + os.pathsep.join(("/usr/sbin", "/usr/local/sbin"))

# pytest-xdist sets it for its workers, and our reports would be as narrow.
os.environ.pop("COLUMNS", None)

# A script that starts the tests in the background makes them and their children ignore interrupts,
# and the tests that interrupt something would fail.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--stack openssl`: the whole suite with that TLS library alone."""
    parser.addoption("--stack", choices=["boringssl", "openssl"], help="one TLS library alone")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the chosen library the default of every process; without utls it is OpenSSL."""
    if not HAS_BORINGSSL:
        config.option.stack = "openssl"
    if config.getoption("--stack"):
        os.environ[STACK_VARIABLE] = config.getoption("--stack")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a case after its argument where the value is a long row of bytes.

    Such bytes may be random (a ClientHello), and the processes of pytest-xdist have to agree on
    the names.
    """
    return argname if isinstance(val, bytes) and len(val) > 32 else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Runs a test marked `alone` while the other processes of pytest-xdist run none.

    Subtle: ordinary tests share the lock `running`, and a test marked `alone` holds it for itself.
    A test that waits for it holds `turn`, so a test marked `alone` waits for the tests that are
    running and not for all that follow. The kernel releases both when a process dies.
    """
    if not hasattr(item.config, "workerinput"):
        return (yield)
    kind = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    # Two files that exist anyway: what they hold does not matter.
    here = Path(__file__)
    with here.open() as running, here.with_name("promises.toml").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(running, kind)
        fcntl.flock(turn, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(running, fcntl.LOCK_UN)


def _of_the_other_stack(item: pytest.Item, stack: str) -> bool:
    """Whether a test is the case of the other library."""
    case = getattr(item, "callspec", None)
    return case is not None and str(case.params.get("stack", stack)) != stack


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the cases of the other library, and skips tests whose programs are missing."""
    stack = config.getoption("--stack")
    if stack:
        left_out = [item for item in items if _of_the_other_stack(item, stack)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if stack == "openssl":
        _skip_boringssl(items)
    _skip_missing(items)


def _skip_boringssl(items: list[pytest.Item]) -> None:
    """Skips tests of BoringSSL itself: `@pytest.mark.boringssl`."""
    for item in items:
        if item.get_closest_marker("boringssl") is not None:
            item.add_marker(pytest.mark.skip(reason="is about BoringSSL (utls) itself"))


def _skip_missing(items: list[pytest.Item]) -> None:
    """Skips tests that name a missing program: `@pytest.mark.real("nginx", "haproxy")`."""
    for item in items:
        for mark in item.iter_markers("real"):
            missing = [program for program in mark.args if shutil.which(program) is None]
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"{' and '.join(sorted(missing))} missing"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Counts the real-server tests visibly: a silent skip would look like a pass."""
    real = {
        outcome: [
            r
            for r in reports
            if "real" in getattr(r, "keywords", ()) and getattr(r, "when", "teardown") != "teardown"
        ]
        for outcome, reports in terminalreporter.stats.items()
    }
    skipped = real.pop("skipped", [])
    ran = sum(len(real.get(outcome, ())) for outcome in ("passed", "failed", "error"))
    reasons = sorted({_reason(report) for report in skipped})
    because = f" ({', '.join(reasons)})" if reasons else ""
    terminalreporter.section("real servers")
    terminalreporter.write_line(f"real-server tests run: {ran}")
    terminalreporter.write_line(
        f"real-server tests skipped: {len(skipped)}{because}", yellow=bool(skipped), bold=True
    )


def _reason(report: pytest.TestReport) -> str:
    """Why a test was skipped, as its mark says."""
    _, _, text = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, "no reason")
    return str(text).removeprefix("Skipped: ")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a text into a file of the test's own folder."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return put


@pytest.fixture(scope="session", params=list(Stack), ids=str)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each TLS library in turn."""
    assert isinstance(request.param, Stack)
    return request.param
