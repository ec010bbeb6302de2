from collections.abc import Callable

from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.experiments import confirm, more
from stress.analysis.causes.isolation import isolate
from stress.analysis.recording import record
from stress.model.claims import RunChange
from stress.model.run import Run


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
