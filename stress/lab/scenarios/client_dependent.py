"""Scenarios in which the failure depends on the client: the ClientHello decides.

One private root signs everything, also the certificate for clients without ECDSA in their signature
algorithms; the two certificates differ only in the key type of the leaf.
"""

from __future__ import annotations

from dataclasses import replace

from stress.lab.blueprint import Balancing, Fault, FaultAction, Identity, Pool, Process
from stress.lab.certificates import LeafKeyType, LeafSpec
from stress.lab.scenario import GENERIC, Built, Scenario, row
from stress.lab.scenarios.chains import FALLBACK
from stress.lab.site import HOST, Site

TLS12 = 0x0303
SEGMENT_BYTES = 1_400
"""What a middlebox sees that reads one Ethernet segment and takes it for the whole hello."""


@Scenario(
    "bad-only-tls12",
    "One of four addresses has an old TLS 1.2 configuration without the intermediate.",
    "one of four addresses sends the leaf alone to clients without TLS 1.3",
    category="incomplete-chain",
    share=1 / 8,
    clients=(GENERIC, "tls12-only"),
).built_by
def bad_only_tls12(site: Site, scenario: Scenario) -> Built:
    """Four addresses; the second has another chain for clients without TLS 1.3."""
    good, alone = site.complete_and_incomplete()
    old = (Fault(FaultAction.ANSWER, alone.identity, best_version=TLS12),)
    fronts = site.fronts(4)
    pools = tuple(
        Pool((front,), Balancing.ROUND_ROBIN, row([good] * 2, None, faults, f"site-{number}"))
        for number, front, faults in zip(range(1, 5), fronts, ((), old, (), ()), strict=True)
    )
    addresses = tuple(front.address for front in fronts)
    sentence = f"{addresses[1]} sends the leaf alone to clients without TLS 1.3"
    where = ("address", str(addresses[1])), ("client", "tls12-only")
    planted = replace(scenario, sentence=sentence).plant(*where)
    return Built((Process(pools),), addresses, planted)


@Scenario(
    "ecdsa-only",
    "Of the two certificates only the ECDSA one was renewed without its intermediate.",
    "clients that accept ECDSA get a leaf without its intermediate",
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
    return scenario.single(site, row([both] * 4), ("client", GENERIC))


@Scenario(
    "no-sni-default",
    "Clients that send no server name get the default certificate.",
    "clients without SNI get the certificate of fallback.lab.test",
    category="hostname-mismatch",
    share=0.5,
    count=2_000,
    clients=(GENERIC, "no-sni"),
).built_by
def no_sni_default(site: Site, scenario: Scenario) -> Built:
    """Each node answers with its default certificate when no name is sent."""
    good, other = site.show("good", site.leaf()), site.show("fallback", site.leaf(FALLBACK))
    nameless = (Fault(FaultAction.ANSWER, other.identity, without_name=True),)
    return scenario.single(site, row([good] * 4, None, nameless), ("client", "no-sni"))


@Scenario(
    "mlkem-splits",
    "A box in the path resets ClientHellos that no longer fit into one segment.",
    f"ClientHellos of more than {SEGMENT_BYTES} bytes are reset",
    category="reset",
    share=0.5,
    count=2_000,
    clients=("mlkem", "no-mlkem"),
).built_by
def mlkem_splits(site: Site, scenario: Scenario) -> Built:
    """Whatever the node, a large ClientHello is answered with RST."""
    good = site.show("good", site.leaf())
    large = (Fault(FaultAction.RESET, hello_over=SEGMENT_BYTES),)
    return scenario.single(site, row([good] * 4, None, large), ("client", "mlkem"))


@Scenario(
    "mlkem-chain",
    "ClientHellos that no longer fit into one segment go to an old pool without the intermediate.",
    f"ClientHellos of more than {SEGMENT_BYTES} bytes get the leaf alone",
    category="incomplete-chain",
    share=0.5,
    count=2_000,
    clients=("mlkem", "no-mlkem"),
).built_by
def mlkem_chain(site: Site, scenario: Scenario) -> Built:
    """Whatever the node, a large ClientHello is answered with the leaf alone."""
    good, alone = site.complete_and_incomplete()
    large = (Fault(FaultAction.ANSWER, alone.identity, hello_over=SEGMENT_BYTES),)
    return scenario.single(site, row([good] * 4, None, large), ("client", "mlkem"))
