from collections.abc import Callable

import pytest

from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.experiments import cheaper, confirm, more
from stress.analysis.causes.isolation import isolate
from stress.analysis.recording import record
from stress.cli.options import parse
from stress.model.claims import RunChange
from stress.model.run import Run
from stress.planning.run_command import run_argv
from stress.runner.run import prepare


def proposed(run: Run) -> RunChange | None:
    recording = record(run)
    (failing,) = failure_classes(recording.table)
    return confirm(recording, isolate(recording, failing).slices[0])


def test_the_place_is_pinned_and_the_count_is_enough(located: Callable[..., Run]) -> None:
    change = proposed(located(lambda like: 5 if like.address == 1 and like.client == 1 else 0))

    assert change is not None
    assert [one.label for one in change.addresses or ()] == ["node-b"]
    assert change.clients == ("chrome",)
    assert change.count == 21


def test_what_no_option_can_pin_has_no_experiment(located: Callable[..., Run]) -> None:
    assert proposed(located(lambda like: 5 if like.tls_version == 0x0303 else 0)) is None


def test_too_few_failures_need_more_handshakes() -> None:
    assert more(5, 10_000) == RunChange(count=40_000)
    assert more(20, 10_000) is None
    assert more(0, 10_000) is None


@pytest.mark.parametrize(
    ("words", "added"),
    [
        ((), ("--stack", "openssl")),
        (("--stack", "boringssl"), ("--client", "tls12-only")),
        (("--stack", "openssl"), ()),
        (("--client", "chrome", "--client", "generic"), ("--client", "tls12-only")),
        (("--client", "tls12-only"), ()),
    ],
)
def test_the_run_with_cheaper_handshakes_can_be_planned(
    words: tuple[str, ...], added: tuple[str, ...]
) -> None:
    """A printed command that ends with "cannot resume" would be no experiment."""
    plan = prepare(parse(["127.0.0.1:4433", "-n", "50", *words]))

    argv = run_argv(plan, cheaper(plan, RunChange()))

    assert prepare(parse(argv[2:])).resumption == 0.9
    assert all(one in argv for one in added)
    assert ("openssl" in argv) is ("openssl" in (*words, *added))
