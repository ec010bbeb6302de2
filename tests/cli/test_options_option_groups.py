import inspect
from typing import Annotated, Any

import typer

from stress.cli.options import Group, flat

Width = Annotated[int, typer.Option(help="Columns.")]
Loud = Annotated[bool, typer.Option("--loud")]


def shape_of(*, width: Width = 3, loud: Loud = False) -> tuple[int, bool]:
    return width, loud


def command(shape: Annotated[tuple[int, bool], Group(shape_of)], name: str = "x") -> int:
    """Says something."""
    width, loud = shape
    return width * len(name) * (-1 if loud else 1)


def test_the_options_of_a_group_are_in_the_commands_signature() -> None:
    flattened = flat(command)

    assert list(inspect.signature(flattened).parameters) == ["width", "loud", "name"]
    assert flattened.__doc__ == "Says something."


def test_the_command_gets_what_the_group_made() -> None:
    assert flat(command)(width=5, loud=True, name="ab") == -10


def test_typer_parses_the_options_of_a_group() -> None:
    app = typer.Typer(add_completion=False)
    app.command()(flat(command))

    assert app(args=["--width", "7", "--name", "abc"], standalone_mode=False) == 21
    assert app(args=[], standalone_mode=False) == 3


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
    ]


def test_each_option_is_in_its_section_with_its_default(ask: Any) -> None:
    out = ask("run", "--help").out

    assert (
        out.index("Certificate validation:") < out.index("--ca FILE") < out.index("Authorization:")
    )
    assert "[default: 64]" in " ".join(out.split())
    assert "<list[str]>" not in out
