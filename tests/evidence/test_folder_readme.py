from __future__ import annotations

import pytest

from stress.evidence.folder import readme
from stress.evidence.selection import cases
from tests.evidence.conftest import cause_of, plan_for, transcript
from tests.evidence.dossiers import facts_for, summary_of


def text(*, shared: bool = False, sentence: str = "All of them are there.") -> str:
    kept = [transcript("incomplete-chain", chain=bytes(32)), transcript("eof")]
    causes = [cause_of(1, "incomplete-chain", sentence=sentence)]
    found = cases(kept, causes, plan_for())
    return readme(facts_for(plan_for()), summary_of(causes), found, shared=shared)


def test_it_says_what_failed_and_what_is_where() -> None:
    said = text()

    assert "5 of 40 handshakes failed." in said
    assert "cause-1-incomplete-chain/" in said
    assert "Fix: Mend it." in said
    assert "unexplained-2-eof/" in said
    for file in ("failing.pcapng", "control.pcapng", "timeline.txt", "reproduce.sh"):
        assert file in said
    assert "openssl verify" in said


def test_secrets_are_warned_of_where_they_are() -> None:
    assert "secrets of these test connections are inside" in text()
    assert "secrets of these test connections are inside" not in text(shared=True)


@pytest.mark.parametrize("private", ["jane-laptop", "10.9.8.7"])
def test_to_be_shared_it_does_not_say_who_asked(private: str) -> None:
    assert private in text()
    assert private not in text(shared=True)


def test_hostile_words_do_nothing() -> None:
    said = text(sentence="\x1b[2J\u202egnp.exe")

    assert "\x1b" not in said
    assert "\u202e" not in said


def test_lines_fit_a_terminal() -> None:
    assert max(map(len, text().splitlines())) <= 100
