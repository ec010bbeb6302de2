"""Scenarios in which the failure depends on the client: the ClientHello decides.

One private root signs everything, also the certificate for clients without ECDSA in their signature
algorithms; the two certificates differ only in the key type of the leaf.
"""

from __future__ import annotations

from dataclasses import replace

from stress.lab.blueprint import (
    Balancing,
    Fault,
    FaultAction,
    FaultCondition,
    Identity,
    Pool,
    Process,
)
from stress.lab.certificates import LeafKeyType, LeafSpec
from stress.lab.scenario import GENERIC, Built, Scenario, row, single
from stress.lab.scenarios.chains import FALLBACK
from stress.lab.site import HOST, Site

TLS12 = 0x0303
SEGMENT_BYTES = 1_400
"""What a middlebox sees that reads one Ethernet segment and takes it for the whole hello."""


@Scenario(
    "bad-only-tls12",
    "One of four addresses has an old TLS 1.2 configuration without the intermediate.",
    category="incomplete-chain",
    share=1 / 8,
    clients=(GENERIC, "tls12-only"),
).built_by
def bad_only_tls12(site: Site, scenario: Scenario) -> Built:
    """Four addresses; the second has another chain for clients without TLS 1.3."""
    good, alone = site.complete_and_incomplete()
    old = (Fault(FaultCondition(best_version=TLS12), FaultAction.ANSWER, alone.identity),)
    fronts = site.fronts(4)
    pools = tuple(
        Pool(
            (front,),
            Balancing.ROUND_ROBIN,
            row([good] * 2, None, old if index == 1 else (), f"site-{index + 1}"),
        )
        for index, front in enumerate(fronts)
    )
    addresses = tuple(front.address for front in fronts)
    planted = scenario.plant(
        f"{addresses[1]} sends the leaf alone to clients without TLS 1.3",
        ("address", str(addresses[1])),
        ("client", "tls12-only"),
    )
    return Built((Process(pools),), addresses, planted)


@Scenario(
    "ecdsa-only",
    "Of the two certificates only the ECDSA one was renewed without its intermediate.",
    category="incomplete-chain",
    share=0.5,
    count=2_000,
    clients=(GENERIC, "rsa-only"),
).built_by
def ecdsa_only(site: Site, scenario: Scenario) -> Built:
    """Each node has an RSA and an ECDSA certificate; the ECDSA one comes alone."""
    rsa, ecdsa = site.leaf(LeafSpec((HOST,), LeafKeyType.RSA)), site.leaf()
    good, alone = site.show("rsa", rsa), site.show("ecdsa-alone", ecdsa, ecdsa.alone)
    both = replace(good, identity=Identity(good.identity.files + alone.identity.files))
    planted = scenario.plant(
        "clients that accept ECDSA get a leaf without its intermediate", ("client", GENERIC)
    )
    return single(site, row([both] * 4), Balancing.ROUND_ROBIN, planted)


@Scenario(
    "no-sni-default",
    "Clients that send no server name get the default certificate.",
    category="hostname-mismatch",
    share=0.5,
    count=2_000,
    clients=(GENERIC, "no-sni"),
).built_by
def no_sni_default(site: Site, scenario: Scenario) -> Built:
    """Each node answers with its default certificate when no name is sent."""
    good, other = site.show("good", site.leaf()), site.show("fallback", site.leaf(FALLBACK))
    nameless = (Fault(FaultCondition(without_name=True), FaultAction.ANSWER, other.identity),)
    planted = scenario.plant(
        "clients without SNI get the certificate of fallback.lab.test", ("client", "no-sni")
    )
    return single(site, row([good] * 4, None, nameless), Balancing.ROUND_ROBIN, planted)


@Scenario(
    "mlkem-splits",
    "A box in the path resets ClientHellos that no longer fit into one segment.",
    category="reset",
    share=0.5,
    count=2_000,
    clients=("mlkem", "no-mlkem"),
).built_by
def mlkem_splits(site: Site, scenario: Scenario) -> Built:
    """Whatever the node, a large ClientHello is answered with RST."""
    good = site.show("good", site.leaf())
    large = (Fault(FaultCondition(hello_over=SEGMENT_BYTES), FaultAction.RESET),)
    planted = scenario.plant(
        f"ClientHellos of more than {SEGMENT_BYTES} bytes are reset", ("client", "mlkem")
    )
    return single(site, row([good] * 4, None, large), Balancing.ROUND_ROBIN, planted)


@Scenario(
    "mlkem-chain",
    "ClientHellos that no longer fit into one segment go to an old pool without the intermediate.",
    category="incomplete-chain",
    share=0.5,
    count=2_000,
    clients=("mlkem", "no-mlkem"),
).built_by
def mlkem_chain(site: Site, scenario: Scenario) -> Built:
    """Whatever the node, a large ClientHello is answered with the leaf alone."""
    good, alone = site.complete_and_incomplete()
    large = (Fault(FaultCondition(hello_over=SEGMENT_BYTES), FaultAction.ANSWER, alone.identity),)
    planted = scenario.plant(
        f"ClientHellos of more than {SEGMENT_BYTES} bytes get the leaf alone", ("client", "mlkem")
    )
    return single(site, row([good] * 4, None, large), Balancing.ROUND_ROBIN, planted)
