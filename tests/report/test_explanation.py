import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stress.codes.explain import explain
from stress.model.outcome import ClientView
from stress.report.explanation import render_explanation

SEED_LOG = """TIC SSL Trust Error [1:0x1c0174d00]: 3:0
NSURLSession/NSURLConnection HTTP load failed (kCFStreamErrorDomainSSL, -9807)
Task <B5>.<1> finished with error - code: -1202 (https://api.edge.test/v1/login)
"""


def test_a_pasted_log_gets_every_code_then_what_they_say_together_and_what_to_do() -> None:
    text = render_explanation(explain(SEED_LOG), {})

    places = [text.index(each) for each in ("TIC SSL Trust Error", "(-9807)", "(-1202)")]
    assert places == sorted(places)
    assert text.index("Together:") < text.index("Undecided:") < text.index("Possible:")
    assert text.endswith("Next step:      tls-stress run api.edge.test\n")


def test_a_single_ending_is_told_in_every_clients_words() -> None:
    views = {"ios-11": ClientView("yes", "-9807"), "chrome": ClientView("sometimes", "ERR_X")}
    text = render_explanation(explain("incomplete-chain"), views)

    assert "Meaning:" in text
    assert "ios-11:         fails; -9807\n" in text
    assert "chrome:         sometimes fails; ERR_X\n" in text


def test_what_is_unknown_is_told_with_what_is_near() -> None:
    assert "-9999 is not a known code. Similar: -" in render_explanation(explain("-9999"), {})


@pytest.mark.parametrize("hostile", ["\x1b[2J -9807 \u202e", "alert 112\x07\x9b"])
def test_a_hostile_log_can_do_nothing(hostile: str) -> None:
    assert not set(render_explanation(explain(hostile), {})) & set("\x1b\x07\x9b\u202e")


@given(st.text(max_size=200))
@example("0" * 11 + "\x1f" * 20 + "\U0002fa1e" * 5)
def test_any_text_is_answered_within_a_hundred_columns(text: str) -> None:
    lines = render_explanation(explain(text), {}).splitlines()

    assert lines[-1].startswith("Next step:")
    assert all(len(line) <= 100 for line in lines)
