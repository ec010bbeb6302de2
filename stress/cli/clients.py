"""`tls-stress clients`: the client profiles, and the ClientHello that each one sends."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import completion, console
from stress.cli.options import group, option_of
from stress.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from stress.model.plan import Stack

Name = Annotated[
    str, typer.Argument(metavar="NAME|FILE", autocompletion=completion.clients, show_default=False)
]
StackOption = Annotated[
    str | None,
    option_of(
        "stack",
        "TLS library. [default: the first that can send the profile]",
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
Sni = Annotated[str | None, option_of("sni", "Use the first ClientHello for this server name.")]
ProfileName = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Name of the profile. [default: that of the file]"),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE|-", help="File to write. [default: NAME.toml]"),
]
_SHOWN_NAME = "www.example.com"
"""Server name in the ClientHello that is shown; it does not change the fingerprints."""


def list_clients() -> int:
    """List the client profiles.

    Examples:
        tls-stress clients
    """
    from stress.clients.profiles import clients

    console.print_titles({name: client.title for name, client in clients().items()})
    return ExitCode.CLEAN


def show_client(name: Name, stack: StackOption = None) -> int:
    """Print the ClientHello of a profile.

    The fields, JA3 and JA4 are read from the bytes of a ClientHello that was made for it.

    Examples:
        tls-stress clients show ios-urlsession
    """
    from stress.clients.profiles import client_text, load_client
    from stress.handshake import stack_for, stack_speaking
    from stress.handshake.hello import read_hello

    client = load_client(name)
    library = _library(stack) or stack_speaking(client)
    machine = stack_for(client, library, server_name=_SHOWN_NAME).machine()
    hello = read_hello(machine.begin().send)
    console.print_data(client_text(client, hello, library.value))
    return ExitCode.CLEAN


def import_client(
    capture: Capture,
    sni: Sni = None,
    name: ProfileName = None,
    stack: StackOption = None,
    out: Out = None,
) -> int:
    """Make a client profile from a packet capture of an app.

    It is reduced to what a TLS library here can send; what was lost is listed, and kept in the
    profile. Then connect as that app does: tls-stress run HOST --client NAME.toml

    Examples:
        tls-stress clients import app.pcapng --sni app.example.com --name my-app
    """
    from stress.clients import importing
    from stress.text.escape import PROGRAM, escape, shell_line

    made = importing.import_client(capture, server_name=sni, name=name, stack=_library(stack))
    if out == Path("-"):
        console.print_data(made.toml)
        return ExitCode.CLEAN
    fit, file = made.fit, out or Path(f"{made.fit.client.name}.toml")
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(made.toml)
    except FileExistsError:
        raise UsageError(f"{file} exists already", "Choose another: --out FILE") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None
    lines = [f"ClientHello {made.source}: JA3 {made.hello.ja3_md5}, JA4 {made.hello.ja4}"]
    if made.others:
        lines.append(f"{made.others} more for this name differ; the first one was used")
    lost = fit.client.cannot_express
    lines.append(f"lost with {fit.client.stack}:" if lost else "nothing was lost")
    for sentence in lost:
        text = escape(sentence, longest=2000)
        lines += wrap(text, 96, initial_indent="- ", subsequent_indent="  ")
    use = shell_line([PROGRAM, "run", "HOST", "--client", str(file)])
    lines += [f"profile: {file}", f"use it: {use}"]
    console.print_data("\n".join(lines) + "\n")
    return ExitCode.CLEAN


def _library(word: str | None) -> Stack | None:
    """Read `--stack`.

    Raises:
        UsageError: there is no such library.
    """
    from stress.model.plan import Stack
    from stress.text.escape import chosen
    from stress.text.units import option

    return option("--stack", lambda text: chosen(Stack, text), word)


clients = group(
    "Client profiles.", {"list": list_clients, "show": show_client, "import": import_client}
)
