"""Scenarios: what `scenarios.toml` says, and how a farm is built from it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

import msgspec

from stress.errors import UsageError
from stress.lab.blueprint import Pool, Process
from stress.lab.site import Site
from stress.model.plan import Address
from stress.text.escape import did_you_mean


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
    likely: str = ""
    """A root cause that the report has to name by its id; empty: it is not asked for."""
    says: str = ""
    """Words that its first lines have to contain; empty: none in particular."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A failure that the lab can reproduce; `scenarios.toml` explains the fields."""

    name: str
    title: str
    sentence: str
    share: float
    pools: tuple[Pool, ...]
    category: str | None = None
    dimensions: tuple[tuple[str, str], ...] = ()
    windows_s: tuple[tuple[float, float], ...] = ()
    also: tuple[Planted, ...] = ()
    count: int = 5_000
    clients: tuple[str, ...] = ("generic",)
    options: tuple[str, ...] = ()
    stores: Mapping[str, str] = field(default_factory=dict)
    likely: str = ""
    says: str = ""
    limit_per_s: float | None = None
    one_port: bool = False

    def build(self, site: Site) -> tuple[tuple[Process, ...], tuple[Address, ...], Planted]:
        """Make the certificates and bind the addresses.

        Returns:
            The processes to start, where clients connect, and what is wrong.
        """
        listening = [pool.front for pool in self.pools]
        fronts = site.twins() if self.one_port else tuple(map(site.front, listening))
        addresses = tuple(dict.fromkeys(front.address for front in fronts))
        pools = tuple(
            replace(pool, front=front, seed=site.seed + index, pace=site.pace)
            for index, (pool, front) in enumerate(zip(self.pools, fronts, strict=True))
        )
        shared = [(pool,) for pool in pools] if self.one_port else [pools]
        processes = tuple(Process(group, str(site.folder)) for group in shared)

        names = {file for pool in pools for node in pool.nodes for file in node.files}
        known = {name.removesuffix(".pem"): site.shown(name) for name in sorted(names)}
        windows_s = tuple((start * site.pace, end * site.pace) for start, end in self.windows_s)
        times = ", ".join(f"{start_s:g}-{end_s:g} s" for start_s, end_s in windows_s)
        where = (*self.dimensions, ("time", times)) if times else self.dimensions
        planted = Planted(
            self.category,
            self.share - sum(one.share for one in self.also),
            tuple((one, text.format(**known, addresses=addresses)) for one, text in where),
            self.sentence.format(**known, addresses=addresses),
            self.also,
            windows_s,
            int(known["expiring"].expires.timestamp()) if "expiring" in known else None,
            self.likely,
            self.says,
        )
        return processes, addresses, planted


@cache
def scenarios() -> Mapping[str, Scenario]:
    """Every scenario by its name, in listing order."""
    text = (files("stress.lab") / "scenarios.toml").read_text("utf-8")
    named = tomllib.loads(text).items()
    return {name: msgspec.convert({"name": name, **one}, Scenario) for name, one in named}


def find(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    known = scenarios()
    if name not in known:
        raise UsageError(f"the lab has no scenario named {name!r}", did_you_mean(name, known))
    return known[name]
