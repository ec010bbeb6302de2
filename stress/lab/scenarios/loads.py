"""Scenarios in which the failure depends on load: each has a known limit.

With arrivals at random a queue forms shortly below the limit: at 97.5% of it one connection in a
hundred waits for a quarter of a second (an M/D/1 queue at 400 a second). The limits are high enough
for that to stay within 5%, and low enough for client and farm to share two cores.
"""

from __future__ import annotations

from dataclasses import replace

from stress.lab.blueprint import Balancing, Fault, FaultAction, Pool, Process
from stress.lab.scenario import Built, Scenario, row
from stress.lab.site import Site

SHORT_BACKLOG = 128
AT_ONCE = ("-c", "2000", "--timeout", "3s")


@Scenario(
    "overload",
    "The server takes 400 connections a second from a short accept queue; the rest must wait.",
    "no more than 400 connections a second are accepted",
    category="timeout-connect",
    share=1 / 3,
    count=12_000,
    options=("--rate", "600", *AT_ONCE),
    limit_per_s=400.0,
).built_by
def overload(site: Site, scenario: Scenario) -> Built:
    """A listener with a short queue that is emptied at a steady rate."""
    good = site.show("good", site.leaf())
    front = site.front(backlog=SHORT_BACKLOG)
    pool = Pool(
        (front,), Balancing.ROUND_ROBIN, row([good]), site.seed, accepts_per_s=scenario.limit_per_s
    )
    planted = scenario.plant(("rate", "over 400/s"))
    return Built((Process((pool,)),), (front.address,), planted)


@Scenario(
    "rate-limiter",
    "Something in the path resets connections beyond 200 a second.",
    "connections beyond 200 a second are reset",
    category="reset",
    share=0.5,
    count=4_000,
    options=("--rate", "400"),
    limit_per_s=200.0,
).built_by
def rate_limiter(site: Site, scenario: Scenario) -> Built:
    """A token bucket in front of a healthy server; when it is empty, the ClientHello gets RST."""
    good = site.show("good", site.leaf())
    limited = (Fault(FaultAction.RESET, over_per_s=scenario.limit_per_s),)
    return scenario.single(site, row([good], None, limited), ("rate", "over 200/s"))


@Scenario(
    "slow-signer",
    "One signer needs 2.5 ms for each handshake; above 400 a second a queue forms.",
    "no more than 400 handshakes a second are signed",
    category="timeout-handshake",
    share=0.4,
    count=10_000,
    options=("--rate", "500", *AT_ONCE),
    limit_per_s=400.0,
).built_by
def slow_signer(site: Site, scenario: Scenario) -> Built:
    """One node whose signer has a fixed speed, first come, first served."""
    good = site.show("good", site.leaf())
    (node,) = row([good])
    return scenario.single(site, (replace(node, signing_ns=2_500_000),), ("rate", "over 400/s"))
