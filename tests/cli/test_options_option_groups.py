import inspect
from typing import Annotated, Any

import typer

from stress.cli.options import takes
from stress.planning.request import Request

Width = Annotated[int, typer.Option(help="Columns.")]


@takes("sni", "pins", "stop_on_refusal", "json")
def command(request: Request, width: Width = 3) -> int:
    """Says something."""
    return width * len(request.given()) * (-1 if request.json else 1)


def test_the_options_are_in_the_commands_signature() -> None:
    shown = list(inspect.signature(command).parameters)

    assert shown == ["sni", "pins", "stop_on_refusal", "json", "width"]
    assert command.__doc__ == "Says something."


def test_the_command_gets_a_request_of_what_was_given() -> None:
    assert command(sni="a.test", pins=["x"], stop_on_refusal=None, json=True, width=5) == -15


def test_typer_parses_the_options_and_those_of_the_command() -> None:
    app = typer.Typer(add_completion=False)
    app.command()(command)

    given = ["--width", "7", "--pin", "a", "--pin", "b", "--no-stop-on-refusal"]
    assert app(args=given, standalone_mode=False) == 14
    assert app(args=[], standalone_mode=False) == 0


def test_help_lists_options_in_sections_as_plain_text(ask: Any) -> None:
    lines = ask("run", "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]

    assert headings == [
        "Arguments:",
        "Load:",
        "TLS and addresses:",
        "Certificate validation:",
        "Goals and stop conditions:",
        "Authorization:",
        "Output:",
        "Options:",
        "Examples:",
    ]


def test_each_option_is_in_its_section_with_its_default(ask: Any) -> None:
    out = ask("run", "--help").out

    assert (
        out.index("Certificate validation:") < out.index("--ca FILE") < out.index("Authorization:")
    )
    assert "[default: 64]" in " ".join(out.split())
    assert "<list[str]>" not in out
