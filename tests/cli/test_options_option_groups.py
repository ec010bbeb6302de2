from typing import Any

import click
import pytest

from stress.cli import options
from stress.planning.request import Request


@options.command()
@options.takes("sni", "pins", "stop_on_refusal", "json")
@click.option("--width", type=int, default=3, help="Columns.")
def command(request: Request, width: int) -> int:
    """Says something."""
    return width * len(request.given()) * (-1 if request.json else 1)


def test_a_command_has_the_options_it_takes_and_its_own() -> None:
    assert [each.name for each in command.params] == [
        *("sni", "pins", "stop_on_refusal", "json"),
        "width",
    ]
    assert command.help == "Says something."


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("", 0),
        ("--sni a.test --pin x --json --width 5", -15),
        ("--width 7 --pin a --pin b --no-stop-on-refusal", 14),
    ],
)
def test_the_command_gets_a_request_of_what_was_given(words: str, answer: int) -> None:
    assert command.main(words.split(), standalone_mode=False) == answer


def test_help_lists_options_in_sections_as_plain_text(ask: Any) -> None:
    lines = ask("run", "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]

    assert headings == [
        "Positional arguments:",
        "Load:",
        "TLS and addresses:",
        "Certificate validation:",
        "Goals and stop conditions:",
        "Authorization:",
        "Output:",
        "Options:",
    ]


def test_each_option_is_in_its_section_with_its_default(ask: Any) -> None:
    out = ask("run", "--help").out

    assert (
        out.index("Certificate validation:") < out.index("--ca FILE") < out.index("Authorization:")
    )
    assert "[default: 64]" in " ".join(out.split())
    assert "<list[str]>" not in out
