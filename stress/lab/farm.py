"""Starts and stops a farm: its folder, its sockets, its processes.

The sockets are bound here and inherited by the processes, so the farm accepts connections from the
moment it is started, no port is ever guessed, and the addresses are known before anything is
planted. Each process ends when its standard input does, so a farm never outlives us, however we
die.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from stress.errors import LabError
from stress.lab import catalog
from stress.lab.blueprint import Process
from stress.lab.child import Child
from stress.lab.scenario import Built, Planted, Scenario
from stress.lab.site import HOST, Site
from stress.model.target import Address


class Farm:
    """A running farm, made by `start`. Closing it ends its processes and removes its files."""

    def __init__(
        self,
        scenario: Scenario,
        built: Built,
        ca_file: Path,
        children: tuple[Child, ...],
        undo: ExitStack,
    ) -> None:
        self.scenario = scenario
        self.host = HOST
        """The name to send as SNI and to check."""
        self.addresses: tuple[Address, ...] = built.addresses
        self.ca_file = ca_file
        """The farm's root as PEM."""
        self.planted: Planted = built.planted
        self._children = children
        self._undo = undo

    @property
    def pids(self) -> tuple[int, ...]:
        """The farm's process ids."""
        return tuple(child.pid for child in self._children)

    def served(self) -> Mapping[str, int]:
        """Connections by node, as the nodes counted them; still there after closing.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        counts = [child.count() for child in self._children]
        return {name: served for count in counts for name, served in count.served.items()}

    def faulted(self) -> Mapping[str, int]:
        """Connections on which a planted fault fired, by node; still there after closing.

        A node whose only fault is its chain counts none: there `served` is the truth.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        counts = [child.count() for child in self._children]
        return {name: faulted for count in counts for name, faulted in count.faulted.items()}

    def first_ns(self) -> int | None:
        """Unix time of the first connection, to which planted times are relative; None: none.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        moments = [child.count().first_ns for child in self._children]
        return min((moment for moment in moments if moment is not None), default=None)

    def windows_ns(self) -> tuple[tuple[int, int | None], ...]:
        """The stretches of time in which it goes wrong, as Unix nanoseconds; None: without end.

        Empty where time plays no part, or before the first connection.

        Raises:
            LabError: a process of the farm has ended by itself.
        """
        if self.planted.from_unix_s is not None:
            return ((self.planted.from_unix_s * 10**9, None),)
        first_ns = self.first_ns()
        if first_ns is None:
            return ()
        return tuple(
            (first_ns + round(start_s * 1e9), first_ns + round(end_s * 1e9))
            for start_s, end_s in self.planted.windows_s
        )

    def close(self) -> None:
        """End the processes and remove what was written; a second time does nothing."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start(name: str, *, seed: int = 0, folder: Path | None = None, pace: float = 1.0) -> Farm:
    """Start the farm of a scenario; when this returns, all its addresses accept.

    Args:
        name: of the scenario.
        seed: of balancers and faults that draw by chance.
        folder: where certificates and keys go, made if missing; by default a temporary one.
        pace: factor on the times that a scenario plants; 0.1 makes ten seconds one.

    Raises:
        UsageError: no scenario has that name.
        LabError: it cannot be started on this machine.
    """
    scene = catalog.find(name)
    with ExitStack() as undo:
        place = _folder(folder, undo)
        scratch = str(place) if folder is None else None
        site = Site(place, datetime.now(UTC), seed, pace)
        undo.callback(site.clear)
        built = scene.build(site)
        children = tuple(
            _child(site, number, replace(orders, scratch=scratch), undo)
            for number, orders in enumerate(built.processes, 1)
        )
        site.close_sockets()
        for child in children:
            child.wait_ready()
        site.remove_keys()
        return Farm(scene.scenario, built, site.ca_file, children, undo.pop_all())


def _child(site: Site, number: int, orders: Process, undo: ExitStack) -> Child:
    child = Child(orders, site.write(f"process-{number}.log", b""))
    undo.callback(child.end)
    return child


def _folder(wanted: Path | None, undo: ExitStack) -> Path:
    """The folder to write to; what was made here is removed at the end, what was there stays."""
    try:
        if wanted is None:
            return Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="tls-stress-lab-")))
        if not wanted.exists():
            wanted.mkdir(mode=0o700)
            undo.callback(wanted.rmdir)
    except OSError as error:
        raise LabError(
            f"the lab cannot use the folder {error.filename}: {error.strerror}",
            "Its parent must exist and be writable.",
        ) from error
    return wanted
