"""Scenarios: data for people and tools, and one function that builds the farm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stress.lab.blueprint import Balancing, Fault, NodeSpec, Pool, Process
from stress.lab.site import Shown, Site
from stress.model.plan import Address

GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class Planted:
    """What is wrong with a farm, in the words in which a run should report it."""

    category: str | None
    """Outcome name of the failures; None: nothing is wrong."""
    share: float
    """Expected share of the handshakes that fail, as a fraction, with the scenario's clients
    and options and all addresses sampled equally."""
    dimensions: tuple[tuple[str, str], ...]
    """Where it was planted: (dimension, value) in the contract's names; () where nothing recorded
    distinguishes it. Values are a chain's SHA-256 in hexadecimal, an address with its port,
    a client profile's name, a stage; a time in seconds since the first connection such as `8-18 s`
    (several with commas, `from` and RFC 3339 for a moment); a rate such as `over 400/s`; a local
    port by its hash such as `crc32 mod 8 = 7`."""
    sentence: str
    also: tuple[Planted, ...] = ()
    """Further causes; `share` is then of this one alone."""
    windows_s: tuple[tuple[float, float], ...] = ()
    """When it is active, if that depends on time: start and end in seconds since the first
    connection; `Farm.windows_ns` has them as Unix time."""
    from_unix_s: int | None = None
    """Unix time from which it is active, if that time itself was planted."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A failure that the lab can reproduce."""

    name: str
    title: str
    """One sentence: what a user would experience."""
    sentence: str
    """What is wrong, in the words in which a run should report it."""
    category: str | None
    """Outcome name of what is planted; None: nothing."""
    share: float
    """Expected share of failing handshakes, all causes together."""
    count: int = 5_000
    """Handshakes after which it should have been found."""
    clients: tuple[str, ...] = (GENERIC,)
    """Client profiles that are needed to see it, in equal parts."""
    options: tuple[str, ...] = ()
    """Further options of `run` that are needed to see it."""
    limit_per_s: float | None = None
    """Handshakes a second that the farm can take; None: as many as the CPU allows."""

    builder: Callable[[Site, Scenario], Built] | None = None

    def built_by(self, builder: Callable[[Site, Scenario], Built]) -> Scenario:
        """Decorate the function that builds the farm."""
        return replace(self, builder=builder)

    def build(self, site: Site) -> Built:
        """Build the farm's configuration."""
        assert self.builder is not None, "a scenario decorates its builder"
        return self.builder(site, self)

    def plant(
        self, *dimensions: tuple[str, str], windows_s: tuple[tuple[float, float], ...] = ()
    ) -> Planted:
        """What this scenario plants, once it is known where and when."""
        when = ", ".join(f"{start_s:g}-{end_s:g} s" for start_s, end_s in windows_s)
        where = (*dimensions, ("time", when)) if when else dimensions
        return Planted(self.category, self.share, where, self.sentence, windows_s=windows_s)

    def single(
        self,
        site: Site,
        nodes: tuple[NodeSpec, ...],
        *dimensions: tuple[str, str],
        policy: Balancing = Balancing.RANDOM,
        windows_s: tuple[tuple[float, float], ...] = (),
    ) -> Built:
        """The plainest farm: one process, one address, one balancer."""
        front = site.front()
        pool = Pool((front,), policy, nodes, site.seed)
        planted = self.plant(*dimensions, windows_s=windows_s)
        return Built((Process((pool,)),), (front.address,), planted)


@dataclass(frozen=True, slots=True)
class Built:
    """What a scenario's function returns: the processes, and where clients connect."""

    processes: tuple[Process, ...]
    addresses: tuple[Address, ...]
    planted: Planted


def row(
    shown: Sequence[Shown],
    weights: Sequence[float] | None = None,
    faults: tuple[Fault, ...] = (),
    prefix: str = "node",
) -> tuple[NodeSpec, ...]:
    """Nodes with the given chains and weights, all with the same faults; `node-01` is the first."""
    shares = weights or [1.0] * len(shown)
    return tuple(
        NodeSpec(f"{prefix}-{index:02}", one.identity, weight, faults)
        for index, (one, weight) in enumerate(zip(shown, shares, strict=True), 1)
    )
