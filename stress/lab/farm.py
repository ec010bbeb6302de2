"""Starts and stops a farm: its folder, its sockets, its processes.

The sockets are bound here and inherited by the processes, so the farm accepts connections as soon
as it has started, no port is guessed, and the addresses are known before a fault is planted. Each
process ends when its standard input does, so a farm never outlives us, however we die.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from stress.errors import LabError
from stress.lab import catalog
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
        cleanup: ExitStack,
    ) -> None:
        self.scenario = scenario
        self.host = HOST
        """The name to send as SNI and to verify."""
        self.addresses: tuple[Address, ...] = built.addresses
        self.ca_file = ca_file
        """The farm's root as PEM."""
        self.planted: Planted = built.planted
        self._children = children
        self._cleanup = cleanup

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

        A node whose only fault is its chain counts none: every connection it served is bad.

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
        times_ns = [child.count().first_ns for child in self._children]
        return min((time_ns for time_ns in times_ns if time_ns is not None), default=None)

    def windows_ns(self) -> tuple[tuple[int, int | None], ...]:
        """When the fault is active, as Unix nanoseconds; an end of None: for good.

        Empty where the fault does not depend on time, or before the first connection.

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
        """End the processes and remove what was written; a second call does nothing."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def start(name: str, *, seed: int = 0, folder: Path | None = None, pace: float = 1.0) -> Farm:
    """Start the farm of a scenario; when this returns, all its addresses accept.

    Args:
        name: of the scenario.
        seed: of random balancers and faults.
        folder: where certificates and keys go, created if missing; by default a temporary one.
        pace: factor on the times that a scenario plants; 0.1 makes ten seconds one.

    Raises:
        UsageError: no scenario has that name.
        LabError: it cannot be started on this machine.
    """
    scene = catalog.find(name)
    with ExitStack() as cleanup:
        try:
            if folder is None:
                scratch = tempfile.TemporaryDirectory(prefix="tls-stress-lab-")
                place = Path(cleanup.enter_context(scratch))
            else:
                place = folder
                if not folder.exists():  # what existed before stays
                    folder.mkdir(mode=0o700)
                    cleanup.callback(folder.rmdir)
        except OSError as error:
            raise LabError(
                f"the lab cannot use the folder {error.filename}: {error.strerror}",
                "Its parent must exist and be writable.",
            ) from error
        site = Site(place, datetime.now(UTC), seed, pace)
        cleanup.callback(site.clear)
        built = scene.build(site)
        children = []
        for number, process in enumerate(built.processes, 1):
            orders = replace(process, scratch=str(place) if folder is None else None)
            child = Child(orders, site.write(f"process-{number}.log", b""))
            cleanup.callback(child.end)
            children.append(child)
        site.close_sockets()
        for child in children:
            child.wait_ready()
        site.remove_keys()
        return Farm(scene.scenario, built, site.ca_file, tuple(children), cleanup.pop_all())
