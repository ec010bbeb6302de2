"""Scenarios in which the failure depends on how connections are balanced."""

from __future__ import annotations

from dataclasses import replace

from stress.lab.blueprint import Balancing, Fault, FaultAction, Pool, Process
from stress.lab.scenario import GENERIC, Built, Planted, Scenario, row
from stress.lab.site import Site

TLS12 = 0x0303


@Scenario(
    "round-robin-1-of-8",
    "Every eighth connection reaches the node that lacks the intermediate, in strict rotation.",
    "node-08 sends the leaf without its intermediate, to every eighth connection",
    category="incomplete-chain",
    share=1 / 8,
    count=2_000,
).built_by
def round_robin(site: Site, scenario: Scenario) -> Built:
    """Strict round robin, with one bad node."""
    good, alone = site.complete_and_incomplete()
    nodes, where = row([good] * 7 + [alone]), ("chain", alone.sha256)
    return scenario.single(site, nodes, where, policy=Balancing.ROUND_ROBIN)


@Scenario(
    "source-port-hash",
    "The balancer hashes the client's port: a port that failed once always fails.",
    "node-08 sends the leaf without its intermediate, to ports with CRC-32 modulo 8 of 7",
    category="incomplete-chain",
    share=1 / 8,
    count=20_000,
).built_by
def source_port_hash(site: Site, scenario: Scenario) -> Built:
    """A balancer that always sends the same port to the same node, with one bad node."""
    good, alone = site.complete_and_incomplete()
    nodes, where = row([good] * 7 + [alone]), ("local_port", "crc32 mod 8 = 7")
    return scenario.single(site, nodes, where, policy=Balancing.SOURCE_PORT)


@Scenario(
    "two-causes",
    "One address has a node without the intermediate, and some TLS 1.2 clients are reset.",
    "second-04 sends the leaf without its intermediate",
    category="incomplete-chain",
    share=0.1125 + 0.1,
    clients=(GENERIC, "tls12-only"),
).built_by
def two_causes(site: Site, scenario: Scenario) -> Built:
    """A bad chain on a quarter of one of two addresses, and resets for one kind of client."""
    good, alone = site.complete_and_incomplete()
    resets = (Fault(FaultAction.RESET, best_version=TLS12, share=0.2),)
    first, second = site.fronts(2)
    left = row([good] * 4, None, resets, "first")
    right = row([good] * 3 + [alone], None, resets, "second")
    pools = (
        Pool((first,), Balancing.RANDOM, left, site.seed),
        Pool((second,), Balancing.RANDOM, right, site.seed + 1),
    )
    sentence = "every node resets a fifth of the clients without TLS 1.3"
    reset = Planted("reset", 0.1, (("client", "tls12-only"),), sentence)
    chain = scenario.plant(("address", str(second.address)))
    planted = replace(chain, share=0.1125, also=(reset,))
    return Built((Process(pools),), (first.address, second.address), planted)
