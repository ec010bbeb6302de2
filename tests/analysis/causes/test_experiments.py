from collections.abc import Callable

from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.experiments import confirm, more
from stress.analysis.causes.isolation import isolate
from stress.analysis.recording import record
from stress.model.run import Run


def proposed(run: Run) -> str:
    recording = record(run)
    (failing,) = failure_classes(recording.table)
    return confirm(recording, isolate(recording, failing).slices[0])


def test_the_place_is_pinned_and_the_count_is_enough(located: Callable[..., Run]) -> None:
    line = proposed(located(lambda like: 5 if like.address == 1 and like.client == 1 else 0))

    assert "--address 10.0.3.7:443=node-b" in line
    assert "--client chrome" in line
    assert "-n 21" in line


def test_what_no_option_can_pin_has_no_experiment(located: Callable[..., Run]) -> None:
    assert proposed(located(lambda like: 5 if like.tls_version == 0x0303 else 0)) == ""


def test_too_few_failures_ask_for_more(located: Callable[..., Run]) -> None:
    recording = record(located(lambda like: 0))

    assert "-n 40000" in more(recording, 5, 10_000)
    assert more(recording, 20, 10_000) == ""
    assert more(recording, 0, 10_000) == ""
