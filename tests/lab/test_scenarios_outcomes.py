"""Outcomes other than success, with real handshakes and counted on both ends."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from stress.lab.farm import start
from tests.lab.client import Kind, handshakes

pytestmark = pytest.mark.slow


def test_resets_reach_the_client_as_resets_and_as_many_as_were_made() -> None:
    with start("resets", seed=3) as farm:
        seen = handshakes(farm.addresses, 600)
        faulted = farm.faulted()
    reset = [one for one in seen if one.outcome != "ok"]

    assert {one.outcome for one in reset} == {"reset"}
    assert {one.chain for one in reset} == {None}
    assert len(reset) == faulted["node-08"] == sum(faulted.values())
    assert 1 <= len(reset) <= 18


def test_a_stalled_client_has_a_server_hello_and_nothing_more() -> None:
    """The version is known, the chain is not: silence came between the two."""
    patient = Kind(timeout_s=2.0)
    with start("stalls", seed=2) as farm:
        seen = handshakes(farm.addresses, 600, patient, at_once=8)
        faulted = farm.faulted()
    stalled = [one for one in seen if one.outcome != "ok"]

    assert {one.outcome for one in stalled} == {"timeout"}
    assert {one.chain for one in stalled} == {None}
    assert len(stalled) == faulted["node-08"] > 0


@pytest.mark.parametrize("best", [SSL.TLS1_3_VERSION, SSL.TLS1_2_VERSION])
def test_the_wrong_key_makes_wrong_signatures_under_the_right_chain(best: int) -> None:
    with start("wrong-key", seed=1) as farm:
        seen = handshakes(farm.addresses, 80, Kind(best=best))
        served = farm.served()
    bad = [one for one in seen if one.outcome != "ok"]

    assert {one.outcome for one in bad} == {"bad signature"}
    assert len({one.chain for one in seen if one.chain}) == 1
    assert len(bad) == served["node-08"] > 0


def test_the_demand_for_a_client_certificate_comes_after_the_handshake() -> None:
    with start("client-certificate", seed=1) as farm:
        seen = handshakes(farm.addresses, 80)
        served = farm.served()
    refused = [one for one in seen if one.outcome != "ok"]

    assert {one.outcome for one in refused} == {"tlsv13 alert certificate required"}
    assert len({one.chain for one in seen}) == 1
    assert len(refused) == served["node-08"] > 0
