import re
from typing import Any

import pytest

from stress.cli import foreign_options
from stress.errors import UsageError


@pytest.mark.parametrize("spelling", foreign_options.foreign_options())
def test_every_spelling_is_refused_with_its_hint(spelling: str) -> None:
    for word in (spelling, f"{spelling}=value"):
        with pytest.raises(UsageError) as refused:
            foreign_options.refuse(["run", "edge.test", word])

        assert spelling in refused.value.message
        assert refused.value.hint


@pytest.mark.parametrize("command", ["report", "demo"])
def test_a_hint_names_no_option_that_the_command_lacks_as_its_own(ask: Any, command: str) -> None:
    ours = set(re.findall(r"--[a-z-]+", ask(command, "--help").out))
    for spelling in [
        each.spellings.split()[0] for each in foreign_options.foreign_options().values()
    ]:
        with pytest.raises(UsageError) as refused:
            foreign_options.refuse([command, spelling])

        own, _, _ = (refused.value.hint or "").partition("With tls-stress run: ")
        assert set(re.findall(r"--[a-z][a-z-]*", own)) <= ours, own

    assert foreign_options._OPTIONS[command] <= ours


def test_hints_name_options_that_run_has(ask: Any) -> None:
    ours = set(re.findall(r"--[a-z-]+", ask("run", "--help").out))

    for each in foreign_options.foreign_options().values():
        assert set(re.findall(r"--[a-z][a-z-]*", each.hint)) <= ours, each.hint


def test_a_report_says_where_trust_anchors_are_given(ask: Any) -> None:
    answer = ask("report", "--cacert", "ca.pem")

    assert answer.code == 2
    assert "report has no such option. With tls-stress run: Give trust anchors" in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ["run", "edge.test", "-n", "5", "-c", "3", "-d", "1s", "-q", "-h"],
        ["run", "--", "-k"],
        ["report", "-q", "results/-k.db"],
        [],
    ],
)
def test_our_own_words_pass(words: list[str]) -> None:
    foreign_options.refuse(words)


def test_no_option_of_ours_is_in_the_list(ask: Any) -> None:
    spellings = set(foreign_options.foreign_options())
    commands = ["run", "report", "demo"]
    ours = {
        word.rstrip(",")
        for command in commands
        for line in ask(*command.split(), "--help").out.splitlines()
        if line.startswith("  -")
        for word in line.split()
        if word.startswith("-")
    }

    assert "--sni" in ours
    assert not ours & spellings


def test_the_list_names_each_spelling_once() -> None:
    distinct = {each.spellings for each in foreign_options.foreign_options().values()}
    spellings = " ".join(distinct).split()

    assert len(spellings) == len(set(spellings)) == len(foreign_options.foreign_options())
