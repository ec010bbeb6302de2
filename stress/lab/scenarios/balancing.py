"""Scenarios in which the failure depends on how connections are balanced."""

from __future__ import annotations

from dataclasses import replace

from stress.lab.blueprint import Balancing, Fault, FaultAction, FaultCondition, Pool, Process
from stress.lab.scenario import GENERIC, Built, Planted, Scenario, row, single
from stress.lab.site import Site

TLS12 = 0x0303


@Scenario(
    "round-robin-1-of-8",
    "Every eighth connection reaches the node that lacks the intermediate, in strict rotation.",
    category="incomplete-chain",
    share=1 / 8,
    count=2_000,
).built_by
def round_robin(site: Site, scenario: Scenario) -> Built:
    """Strict round robin, with one bad node."""
    good, alone = site.complete_and_incomplete()
    planted = scenario.plant(
        "node-08 sends the leaf without its intermediate, to every eighth connection",
        ("chain", alone.sha256),
    )
    return single(site, row([good] * 7 + [alone]), Balancing.ROUND_ROBIN, planted)


@Scenario(
    "source-port-hash",
    "The balancer hashes the client's port: a port that failed once always fails.",
    category="incomplete-chain",
    share=1 / 8,
    count=20_000,
).built_by
def source_port_hash(site: Site, scenario: Scenario) -> Built:
    """A balancer that always sends the same port to the same node, with one bad node."""
    good, alone = site.complete_and_incomplete()
    planted = scenario.plant(
        "node-08 sends the leaf without its intermediate, to ports with CRC-32 modulo 8 of 7",
        ("local_port", "crc32 mod 8 = 7"),
    )
    return single(site, row([good] * 7 + [alone]), Balancing.SOURCE_PORT, planted)


@Scenario(
    "two-causes",
    "One address has a node without the intermediate, and some TLS 1.2 clients are reset.",
    category="incomplete-chain",
    share=0.1125 + 0.1,
    clients=(GENERIC, "tls12-only"),
).built_by
def two_causes(site: Site, scenario: Scenario) -> Built:
    """A bad chain on a quarter of one of two addresses, and resets for one kind of client."""
    good, alone = site.complete_and_incomplete()
    resets = (Fault(FaultCondition(best_version=TLS12, share=0.2), FaultAction.RESET),)
    first, second = site.fronts(2)
    pools = (
        Pool((first,), Balancing.RANDOM, row([good] * 4, None, resets, "first"), site.seed),
        Pool(
            (second,),
            Balancing.RANDOM,
            row([good] * 3 + [alone], None, resets, "second"),
            site.seed + 1,
        ),
    )
    chain = scenario.plant(
        "second-04 sends the leaf without its intermediate", ("address", str(second.address))
    )
    reset = Planted(
        "reset",
        0.1,
        (("client", "tls12-only"),),
        "every node resets a fifth of the clients without TLS 1.3",
    )
    planted = replace(chain, share=0.1125, also=(reset,))
    return Built((Process(pools),), (first.address, second.address), planted)
