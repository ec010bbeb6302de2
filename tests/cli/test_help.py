from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer

from stress.cli.main import COMMANDS, app
from tests.test_docs import parses


@pytest.mark.parametrize("words", [[], ["run"], ["lab"], ["lab", "up"]])
def test_help_prints_what_the_option_prints(words: list[str], ask: Any) -> None:
    answer = ask("help", *words)

    assert answer.code == 0
    assert answer == ask(*words, "--help")


def test_a_command_that_does_not_exist_gets_the_nearest(ask: Any) -> None:
    answer = ask("help", "reprot")

    assert answer.code == 2
    assert "Did you mean report?" in answer.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_that_it_accepts(name: str) -> None:
    top: Any = typer.main.get_command(app)
    command = top.get_command(None, name)
    below = getattr(command, "commands", None)
    shown = [one.examples for one in (below.values() if below else [command])]

    assert all(shown)
    for line in (line for lines in shown for line in lines):
        _, *words = shlex.split(line)
        assert words[0] == name
        found, rest = command, words[1:]
        if below:
            found, rest = below[rest[0] if rest else "list"], rest[1:]
        assert parses(found, rest), line
