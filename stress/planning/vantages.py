"""From where a run is made: what `--vantage NAME=…` says.

A vantage is reached over the user's own `ssh`, by any command that connects to a Python there, it
is a worker of a Dask cluster, or this machine. What is named here is executed, so the option comes
from the command line or from a profile in the user's own configuration folder, never from a
stranger's.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from stress.errors import UsageError
from stress.planning.request import Request, Where, options
from stress.planning.targets import literal, split_port
from stress.text.escape import quoted
from stress.text.units import named

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\\@+-]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_HINT = (
    "Such as fra=ssh://user@fra.example.com, pod='exec:kubectl exec -i POD --', home=local\n"
    "or all=dask://scheduler.example.com:8786?workers=3."
)
_DASK_PORT = 8786


class Scheme(StrEnum):
    """How a vantage is reached."""

    LOCAL = "local"
    SSH = "ssh"
    EXEC = "exec"
    DASK = "dask"


@dataclass(frozen=True, slots=True)
class VantageAddress:
    """Where a vantage is."""

    name: str
    scheme: Scheme
    text: str
    """As the user wrote it, without the name."""
    command: tuple[str, ...] = ()
    """The program to start and its arguments; of ssh, without the program: port and destination."""
    deploy: bool = False
    """Whether tls-stress may be installed there."""
    rows_home: bool = True
    """Whether rows of good attempts come home."""
    secrets_home: bool = False
    """Whether TLS secrets of evidence do; those of this machine are at home."""
    weight: float = 1.0
    """How many times the load of others it gets."""
    scheduler: tuple[str, int] = ("", 0)
    """Host and port of a Dask scheduler."""
    workers: int | None = None
    """How many of its workers; None: all."""


def read_vantage(text: str) -> VantageAddress:
    """Read `NAME=` and `ssh://[USER@]HOST[:PORT]`, `exec:COMMAND`, `local` or `dask://HOST[:PORT]`.

    Raises:
        UsageError: it is none of these, or would be taken for an option.
    """
    name, equals, place = text.strip().partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise UsageError(f'"{quoted(text)}" does not begin with a name and "="', _HINT)
    scheme, colon, rest = place.partition(":")
    if place == Scheme.LOCAL:
        return VantageAddress(name, Scheme.LOCAL, place)
    if colon and scheme == Scheme.EXEC:
        try:
            words = tuple(shlex.split(rest))
        except ValueError as error:
            raise UsageError(f'"{quoted(rest)}" is no command line: {error}', _HINT) from None
        if not words or not words[0] or words[0].startswith("-"):
            raise UsageError(f'"{quoted(rest)}" does not begin with a program', _HINT)
        return VantageAddress(name, Scheme.EXEC, place, words)
    if colon and scheme == Scheme.SSH and rest.startswith("//"):
        return VantageAddress(name, Scheme.SSH, place, _destination(rest[2:].rstrip("/")))
    if colon and scheme == Scheme.DASK and rest.startswith("//"):
        scheduler, workers = _scheduler(rest[2:])
        return VantageAddress(name, Scheme.DASK, place, scheduler=scheduler, workers=workers)
    raise UsageError(f'"{quoted(place)}" is no place that a run can be made from', _HINT)


def read_weight(text: str) -> tuple[str, float]:
    """Read `NAME=N`: how many times the load of others a vantage gets.

    Raises:
        UsageError: it is none, or the number is not between 0.01 and 100.
    """
    name, equals, number = text.strip().partition("=")
    hint = "Such as fra=2: twice the load of a vantage without a weight."
    try:
        weight = float(number)
    except ValueError:
        weight = 0.0
    if not equals or not _NAME.fullmatch(name) or not 0.01 <= weight <= 100:
        raise UsageError(f'"{quoted(text)}" is not NAME=N, with N from 0.01 to 100', hint)
    return name, weight


def vantages_of(request: Request) -> tuple[VantageAddress, ...]:
    """Return the places that a run shall be made from; empty: only this process.

    Args:
        request: with the profile filled in.

    Raises:
        UsageError: one cannot be read or is there twice, or it is a run of one machine alone.
    """
    weights: dict[str, float] = dict(request.values("weights", tuple))
    found = tuple(
        replace(
            (one := named("--vantage", read_vantage, text)),
            weight=weights.get(one.name, 1.0),
            deploy=request.deploy,
            rows_home=request.value("rows", Where) is not Where.THERE,
            secrets_home=request.value("secrets", Where) is Where.HERE,
        )
        for text in request.vantages
    )
    alone = _OF_VANTAGES & request.given()
    if alone and not found:
        shown = "--deploy" if request.deploy else options()[min(alone)].shown
        raise UsageError(
            f"{shown}: there is no --vantage, and no other machine",
            "Name it: --vantage fra=ssh://fra.example.com",
        )
    for name, times in Counter(each.name for each in found).items():
        if times > 1:
            raise UsageError(
                f"--vantage: {times} vantages are called {name}",
                "The report tells them apart by their names: give each its own.",
            )
    unknown = weights.keys() - {each.name for each in found}
    if unknown:
        raise UsageError(
            f"--weight: no --vantage is called {min(unknown)}",
            f"There are: {', '.join(each.name for each in found)}.",
        )
    if found:
        for field, why in _ALONE.items():
            if field in request.given():
                raise UsageError(
                    f"{options()[field].shown} and --vantage do not go together: {why}",
                    "Leave one of them out.",
                )
    return found


_OF_VANTAGES = frozenset({"deploy", "weights", "rows", "secrets"})
_ALONE = {
    "find_limit": "a search for the limit is a question to one generator",
    "backends": "it offers the sessions of one machine to the servers that this machine reaches",
    "sources": "a local address is one of one machine",
    "interrupted": "a run is continued where its file is",
}
"""Options of a run that is made from one place, and why."""


def _destination(place: str) -> tuple[str, ...]:
    """The arguments of ssh for `[USER@]HOST[:PORT]`."""
    user, at, rest = place.rpartition("@")
    host, port = _host(rest)
    if not host or (at and not _USER.fullmatch(user)):
        raise UsageError(f'"ssh://{quoted(place)}" has no host that ssh could be given', _HINT)
    return (*(("-p", str(port)) if port else ()), f"{user}{at}{host}")


def _scheduler(place: str) -> tuple[tuple[str, int], int | None]:
    """Host and port, and the number of workers, of `HOST[:PORT][?workers=N]`."""
    server, question, query = place.partition("?")
    host, port = _host(server.rstrip("/"))
    if not host:
        raise UsageError(f'"dask://{quoted(place)}" names no host of a Dask scheduler', _HINT)
    key, _, number = query.partition("=")
    if question and key != "workers":
        raise UsageError(f'"?{quoted(query)}": of a Dask cluster only workers=N can be said', _HINT)
    workers = int(number) if re.fullmatch("[0-9]{1,6}", number) else 0
    if question and not workers:
        raise UsageError(f'"?{quoted(query)}" does not say how many workers, at least 1', _HINT)
    return (host, port or _DASK_PORT), workers or None


def _host(text: str) -> tuple[str, int | None]:
    """Host and port of `HOST[:PORT]`; an empty host: it is none."""
    try:
        host, port = split_port(text)
    except UsageError as error:  # which tells how a target is written
        raise UsageError(error.message, _HINT) from None
    return (host if _HOST.fullmatch(host) or literal(host) else ""), port


def listed(places: Sequence[VantageAddress]) -> str:
    """Name them, each with where it is, such as `fra (ssh://fra.example.com) and home (local)`."""
    shown = [f"{each.name} ({quoted(each.text)})" for each in places]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
