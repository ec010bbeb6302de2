"""Opens gateways over the user's own `ssh`, by any command, or to a process here: by `execnet`.

A gateway is a Python at the other end of some program's standard input and output. `execnet` sends
it what it needs, so there need be nothing but Python and tls-stress. ssh asks nothing
(`BatchMode`): the user's keys, agent and `known_hosts` decide, and what ssh says when it refuses
is shown.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import IO, Any, cast

import stress
from stress.errors import UsageError
from stress.host.python import python_environment
from stress.planning.vantages import Scheme, VantageAddress
from stress.text.escape import escape, printable
from stress.vantage.link import VantageLink

CONNECT_S = 15
"""For ssh to connect."""
ARRIVE_S = 45.0
"""Until a Python has answered, imports included."""
DEPLOY_S = 600.0
"""Until the package and what it depends on are installed."""
OLDEST_PYTHON = (3, 11)
_SSH = ("ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}")
_BOOT = "import sys;exec(eval(sys.stdin.readline()))"
"""What `execnet` sends its own source to."""
_EXTRA = "Install it: pip install 'tls-stress[many]'"


@dataclass(slots=True)
class ExecnetGateway:
    """Our end of the way to one machine; a `stress.vantage.link.Gateway`."""

    name: str
    link: VantageLink
    _process: subprocess.Popen[bytes]
    _stderr: IO[bytes]
    _gateway: Any = None
    """That of execnet."""

    def last_words(self) -> str:
        """Return the last lines that the program printed to standard error."""
        self._stderr.seek(0)
        lines = self._stderr.read(1_000_000).decode("utf-8", "replace").splitlines()
        return "\n".join(escape(line) for line in lines[-_LINES:] if line.strip())

    def close(self, patience_s: float) -> None:
        """Close its standard input, and kill it if it does not end by that."""
        with suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._gateway is not None:
            self._gateway.join(1.0)  # its thread closes what it reads
        elif self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()


_LINES = 8


def open_execnet(
    address: VantageAddress,
    notify: Callable[[str], None],
) -> Sequence[ExecnetGateway]:
    """Open the gateway of a vantage; a `stress.vantage.link.Fleet`.

    Raises:
        UsageError: it cannot be reached, or has no tls-stress of this release.
    """
    if find_spec("execnet") is None:
        raise UsageError("--vantage needs the library execnet, which is missing", _EXTRA)
    local = address.scheme is Scheme.LOCAL
    python = sys.executable if local else "python3"
    folder = str(Path(stress.__file__).resolve().parents[1]) if local else ""
    gateway, there = _connect(address, python, folder)
    if there["version"] != stress.__version__ and there["other"]:
        gateway.close(1.0)
        gateway, there = _connect(address, there["other"], folder)
    refusal = unfit(there)
    if refusal is not None and address.deploy and not too_old(there):
        python = _deploy(address, gateway, notify)
        gateway.close(1.0)
        gateway, there = _connect(address, python, folder)
        refusal = unfit(there)
    if refusal is not None:
        gateway.close(1.0)
        raise UsageError(f"--vantage {address.name}: {refusal.message}", refusal.hint)
    gateway.link.send(cast("bytes", True))  # noqa: FBT003 - execnet carries plain values, too
    return [gateway]


def unfit(there: Mapping[str, str]) -> UsageError | None:
    """Return why a part cannot be done by what was found there (`arrival.found`); None: it can."""
    executable = printable(there["executable"])
    if too_old(there):
        return UsageError(
            f"the Python there is {printable(there['python'])} ({executable}), and tls-stress needs"
            f" {'.'.join(map(str, OLDEST_PYTHON))} or newer",
            f"Install tls-stress {stress.__version__} there with a newer Python, such as by pipx,"
            " so that\nits command is on the PATH or in ~/.local/bin.",
        )
    if not there["version"]:
        return UsageError(
            f"there is no tls-stress for {executable}",
            f"Add --deploy, or install it there: pipx install tls-stress=={stress.__version__}",
        )
    if there["version"] != stress.__version__:
        return UsageError(
            f"it has tls-stress {printable(there['version'])}, and this is {stress.__version__}:"
            " the parts of a run are made by one release",
            f"Add --deploy, or: pipx install --force tls-stress=={stress.__version__}",
        )
    return None


def too_old(there: Mapping[str, str]) -> bool:
    """Tell whether the Python there cannot run us."""
    return tuple(int(word) for word in there["python"].split(".")[:2]) < OLDEST_PYTHON


def _deploy(address: VantageAddress, gateway: ExecnetGateway, notify: Callable[[str], None]) -> str:
    """Install this release there, into a folder of its own; returns its Python.

    Raises:
        UsageError: it cannot be done; with what was said there.
    """
    from stress.vantage.wheel import NAME, wheel  # noqa: PLC0415 - seldom needed

    content = wheel()
    notify(f"{address.name}: installing tls-stress {stress.__version__} there, for its user alone")
    link: Any = gateway.link
    link.send((stress.__version__, NAME, content))
    try:
        made: dict[str, str] = link.receive(DEPLOY_S)
    except (OSError, EOFError) as error:  # execnet's time-out is an OSError
        made = {"python": "", "said": f"no answer: {error}"}
    if not made["python"]:
        lines = [escape(line) for line in made["said"].splitlines() if line.strip()]
        gateway.close(1.0)
        raise UsageError(
            f"--vantage {address.name}: tls-stress could not be installed there",
            "It said:\n" + "\n".join(lines[-_LINES:]),
        )
    return made["python"]


def _connect(
    address: VantageAddress, python: str, folder: str
) -> tuple[ExecnetGateway, dict[str, str]]:
    """Start the program, and learn what is at its other end.

    Raises:
        UsageError: nothing that answers.
    """
    from execnet import Gateway, XSpec  # noqa: PLC0415 - an extra
    from execnet.gateway_base import Popen2IO, RemoteError, get_execmodel  # noqa: PLC0415
    from execnet.gateway_bootstrap import bootstrap_exec  # noqa: PLC0415

    from stress.vantage import arrival  # noqa: PLC0415 - of no use without it

    argv = _argv(address, python)
    # Without a name, and closed by the gateway.
    stderr = TemporaryFile()  # noqa: SIM115
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command line
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=python_environment() if address.scheme is Scheme.LOCAL else None,
            process_group=0,  # Ctrl-C at the terminal is for us, who tell the parts
        )
    except OSError as error:
        stderr.close()
        raise UsageError(
            f"--vantage {address.name}: cannot start {printable(argv[0])}: {error.strerror}",
            "Install it, or correct the command.",
        ) from None
    late = Timer(ARRIVE_S, process.kill)
    late.start()
    try:
        io: Any = Popen2IO(process.stdin, process.stdout, get_execmodel("thread"))
        io.wait, io.kill = process.wait, process.kill
        spec = XSpec(f"popen//id={address.name}//execmodel=main_thread_only")
        bootstrap_exec(io, spec)
        channel = Gateway(io, spec).remote_exec(arrival)
        gateway = ExecnetGateway(
            address.name, cast("VantageLink", channel), process, stderr, channel.gateway
        )
        channel.send((stress.__version__, folder))
        there: dict[str, str] = channel.receive()
    except (EOFError, OSError, AssertionError, RemoteError):  # of a shell that prints, for instance
        late.cancel()
        process.kill()
        gateway = ExecnetGateway(address.name, cast("VantageLink", None), process, stderr)
        process.wait()
        said = gateway.last_words()
        gateway.close(0.0)
        raise UsageError(
            f"--vantage {address.name}: no Python answered through"
            f" {printable(shlex.join(argv[:-1]))}",
            (f"It said:\n{said}\n" if said else "It said nothing.\n") + _TRY[address.scheme],
        ) from None
    finally:
        late.cancel()
    return gateway, there


_TRY = {
    Scheme.SSH: "This must work without a question, and print nothing but the answer:"
    " ssh HOST python3 --version",
    Scheme.EXEC: "The command, followed by `python3 --version`, must print that and nothing else.",
    Scheme.LOCAL: "",
}
"""What to try by hand."""


def _argv(address: VantageAddress, python: str) -> list[str]:
    if address.scheme is Scheme.LOCAL:
        return [python, "-P", "-u", "-c", _BOOT]
    if address.scheme is Scheme.EXEC:
        return [*address.command, python, "-u", "-c", _BOOT]
    return [*_SSH, *address.command, f"{shlex.quote(python)} -u -c {shlex.quote(_BOOT)}"]
