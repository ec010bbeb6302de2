from dataclasses import replace

from stress.model.plan import Load, Segment
from stress.model.summary import Summary
from stress.report.page.page import parameters
from stress.store import RunFile


def test_what_is_needed_to_repeat_the_run_is_there(
    page_run: RunFile, page_summary: Summary
) -> None:
    told = dict(parameters(page_summary, page_run.facts()))

    assert told["target"] == "good.test:443"
    assert told["clients"] == "generic, ios-urlsession"
    assert told["planned"] == "1,000 handshakes"
    assert told["trust anchors"] == "ca.pem (0 anchors, private)"
    assert told["ended"] == "completed"
    assert told["python"] == "3"


def test_what_was_not_chosen_is_left_out(page_run: RunFile, page_summary: Summary) -> None:
    told = dict(parameters(page_summary, page_run.facts()))

    assert not {"profile", "resolver", "PROXY header", "consent", "duration"} & set(told)


def test_loads_are_told_in_words(page_run: RunFile, page_summary: Summary) -> None:
    facts = page_run.facts()
    segments = (Segment(10.0, 5.0), Segment(20.0, 5.0))
    loads = {
        "each attempt that ends starts the next (closed loop)": Load(),
        "500/s, poisson": Load(rate=500.0),
        "in 2 segments, poisson": Load(segments=segments),
    }
    for words, load in loads.items():
        told = parameters(page_summary, replace(facts, plan=replace(facts.plan, load=load)))
        assert dict(told)["offered rate"] == words
