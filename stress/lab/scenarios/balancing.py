"""Scenarios in which the way connections are dealt out is what has to be understood."""

from __future__ import annotations

from dataclasses import replace

from stress.lab.blueprint import Act, Fault, Policy, Pool, Process, When
from stress.lab.scenario import GENERIC, Built, Planted, Scenario, Scene, row, single
from stress.lab.site import Shown, Site, address

TLS12 = 0x0303

ROUND_ROBIN = Scenario(
    "round-robin-1-of-8",
    "Every eighth connection meets the node that lacks the intermediate, in strict turn.",
    category="incomplete-chain",
    share=1 / 8,
    count=2_000,
)
SOURCE_PORT_HASH = Scenario(
    "source-port-hash",
    "The balancer hashes the client's port: a port that failed once fails each time.",
    category="incomplete-chain",
    share=1 / 8,
    count=20_000,
)
TWO_CAUSES = Scenario(
    "two-causes",
    "One address has a node without the intermediate, and TLS 1.2 clients are reset at times.",
    category="incomplete-chain",
    share=0.1125 + 0.1,
    clients=(GENERIC, "tls12-only"),
)


def round_robin(site: Site) -> Built:
    """A balancer in strict turn, with one bad node."""
    good, alone = _pair(site)
    planted = ROUND_ROBIN.plant(
        "node-08 sends the leaf without its intermediate, to each eighth connection",
        ("chain", alone.sha256),
    )
    return single(site, row([good] * 7 + [alone]), Policy.ROUND_ROBIN, planted)


def source_port_hash(site: Site) -> Built:
    """A balancer that always sends the same port to the same node, with one bad node."""
    good, alone = _pair(site)
    planted = SOURCE_PORT_HASH.plant(
        "node-08 sends the leaf without its intermediate, to ports with CRC-32 modulo 8 of 7",
        ("local_port", "crc32 mod 8 = 7"),
    )
    return single(site, row([good] * 7 + [alone]), Policy.SOURCE_PORT, planted)


def two_causes(site: Site) -> Built:
    """A bad chain on a quarter of one of two addresses, and resets for one kind of client."""
    good, alone = _pair(site)
    resets = (Fault(When(best_version=TLS12, share=0.2), Act.RESET),)
    first, second = site.fronts(2)
    pools = (
        Pool((first,), Policy.RANDOM, row([good] * 4, None, resets, "first"), site.seed),
        Pool(
            (second,),
            Policy.RANDOM,
            row([good] * 3 + [alone], None, resets, "second"),
            site.seed + 1,
        ),
    )
    chain = TWO_CAUSES.plant(
        "second-04 sends the leaf without its intermediate", ("address", str(address(second)))
    )
    reset = Planted(
        "reset",
        0.1,
        (("client", "tls12-only"),),
        "every node resets a fifth of the clients that know no TLS 1.3",
    )
    planted = replace(chain, share=0.1125, also=(reset,))
    return Built((Process(pools),), (address(first), address(second)), planted)


def _pair(site: Site) -> tuple[Shown, Shown]:
    """One leaf with its intermediate, and alone."""
    leaf = site.leaf()
    return site.show("good", leaf), site.show("alone", leaf, leaf.alone)


SCENES = (
    Scene(ROUND_ROBIN, round_robin),
    Scene(SOURCE_PORT_HASH, source_port_hash),
    Scene(TWO_CAUSES, two_causes),
)
