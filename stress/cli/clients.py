"""`tls-stress clients`: the client profiles, and the ClientHello that each really sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import console
from stress.clients.client_text import client_text
from stress.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from stress.clients.importing import Imported
    from stress.model.client import Client, Stack

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", show_default=False)]
StackOption = Annotated[
    str | None,
    typer.Option(
        metavar="boringssl|openssl",
        help="Which TLS library speaks. [default: the one that can, boringssl first]",
    ),
]
Capture = Annotated[
    Path,
    typer.Argument(
        metavar="CAPTURE",
        help="pcap, pcapng, or the bytes of one ClientHello.",
        show_default=False,
    ),
]
Sni = Annotated[
    str | None,
    typer.Option(metavar="NAME|none", help="Whose ClientHello: the first one for this name."),
]
ProfileName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the profile. [default: the file's]")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE|-", help="Where the profile goes. [default: NAME.toml]"),
]
_SHOWN_NAME = "www.example.com"
"""The name in the ClientHello that is shown; its length changes no fingerprint."""


def list_clients() -> int:
    """List the client profiles."""
    from stress.clients.profiles import clients  # noqa: PLC0415 - heavy

    known = clients()
    longest = max(map(len, known))
    for name, client in known.items():
        console.put(f"{name:<{longest}}  {client.title}\n")
    return ExitCode.CLEAN


def show_client(name: Name, stack: StackOption = None) -> int:
    """Print a profile as it is really sent.

    The fields, JA3 and JA4 are read from the bytes of a ClientHello made for it.
    """
    from stress.clients.profiles import load_client  # noqa: PLC0415 - heavy
    from stress.handshake import stack_for  # noqa: PLC0415 - heavy
    from stress.handshake.hello import read_hello  # noqa: PLC0415 - heavy

    client = load_client(name)
    library = _library(stack) or _speaker(client)
    machine = stack_for(client, library, server_name=_SHOWN_NAME).machine()
    hello = read_hello(machine.begin().send)
    console.put(client_text(client, hello, library.value))
    return ExitCode.CLEAN


def import_client(
    capture: Capture,
    sni: Sni = None,
    name: ProfileName = None,
    stack: StackOption = None,
    out: Out = None,
) -> int:
    """Make a client profile from a packet trace of an app.

    It is trimmed to what a TLS library of ours can send; what was lost is listed, and kept in the
    profile. Then ask as that app does: tls-stress run HOST --client NAME.toml
    """
    from stress.clients import importing  # noqa: PLC0415 - heavy

    made = importing.import_client(capture, server_name=sni, name=name, stack=_library(stack))
    if out == Path("-"):
        console.put(made.toml)
        return ExitCode.CLEAN
    file = out or Path(f"{made.fit.client.name}.toml")
    _write(file, made.toml)
    console.put("\n".join(_told(made, file)) + "\n")
    return ExitCode.CLEAN


def _library(word: str | None) -> Stack | None:
    from stress.model.client import Stack  # noqa: PLC0415 - with the others
    from stress.text.suggestions import chosen  # noqa: PLC0415 - heavy
    from stress.text.units import option  # noqa: PLC0415 - heavy

    return option("--stack", lambda text: chosen(Stack, text), word)


def _speaker(client: Client) -> Stack:
    """The first stack that can speak as the client; the default where none can, to say why."""
    from stress.handshake import stack_for  # noqa: PLC0415 - heavy
    from stress.model.client import Stack  # noqa: PLC0415 - with the others

    for stack in Stack:
        with suppress(UsageError):
            stack_for(client, stack, server_name=_SHOWN_NAME)
            return stack
    return Stack.BORINGSSL


def _write(file: Path, text: str) -> None:
    """Makes the file; one that is there already is nobody's to overwrite."""
    try:
        with file.open("x", encoding="utf-8") as made:
            made.write(text)
    except FileExistsError:
        raise UsageError(f"{file} exists", "Name another: --out FILE") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None


def _told(made: Imported, file: Path) -> Iterator[str]:
    from stress.model.client import Stack  # noqa: PLC0415 - with the others
    from stress.text.escape import escape  # noqa: PLC0415 - with the others

    fit = made.fit
    yield f"ClientHello {made.source}: JA3 {made.hello.ja3_md5}, JA4 {made.hello.ja4}"
    if made.others:
        yield f"{made.others} more for this name say something else; the first was taken"
    yield f"lost on the way to {fit.stack}:" if fit.client.cannot_express else "nothing was lost"
    for words in fit.client.cannot_express:
        yield from wrap(
            escape(words, longest=2000), 96, initial_indent="- ", subsequent_indent="  "
        )
    stack = "" if fit.stack is Stack.BORINGSSL else f" --stack {fit.stack}"
    yield f"profile: {file}"
    yield f"ask as it does: tls-stress run HOST --client {file}{stack}"
