from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from stress.analysis.causes.causes import explain
from stress.analysis.recording import record
from stress.analysis.tally import count
from stress.model.claims import Basis, Claim
from stress.model.run import CELL_OTHERS, Cell, Run

X25519, P256 = 29, 23
ECDSA, RSA, RSA_CHACHA = 0xC02B, 0xC02F, 0xCCA8


def found(run: Run) -> list[Claim]:
    explained = explain(record(run), count(run.cube().cells))
    return [claim for claim in explained.claims if claim.basis is Basis.NEGOTIATED]


@pytest.fixture
def agreed(located: Callable[..., Run]) -> Callable[..., Run]:
    """A run in which nothing fails, with other answers where the caller wants."""

    def make(change: Callable[[Cell], dict[str, Any]]) -> Run:
        run = located(lambda _: 0)
        cells: Iterable[Cell] = run.cube().cells
        changed = tuple(one._replace(**change(one)) for one in cells)
        run.the_cube = replace(run.cube(), cells=changed)  # type: ignore[attr-defined] # the fake
        return run

    return make


@pytest.mark.parametrize(
    ("odd", "usual", "category", "root", "name"),
    [
        ({"alpn": None}, {"alpn": "h2"}, "different-alpn", "alpn-drift", "none"),
        ({"alpn": "http/1.1"}, {"alpn": "h2"}, "different-alpn", "alpn-drift", "http/1.1"),
        (
            {"key_group": P256},
            {"key_group": X25519},
            "different-key-exchange",
            "tls-policy-drift",
            "secp256r1",
        ),
        (
            {"tls_version": 0x0303, "cipher": RSA},
            {"tls_version": 0x0304, "cipher": 0x1301},
            "different-version",
            "tls-policy-drift",
            "TLS 1.2",
        ),
    ],
)
def test_an_odd_node_is_told_with_its_place(
    agreed: Callable[..., Run],
    odd: dict[str, Any],
    usual: dict[str, Any],
    category: str,
    root: str,
    name: str,
) -> None:
    version = usual.get("tls_version", 0x0304)
    run = agreed(lambda like: {"tls_version": version} | (odd if like.address == 2 else usual))
    (claim,) = found(run)

    assert (claim.category, claim.failures) == (category, 0)
    assert claim.mechanism is not None
    assert (claim.mechanism.dimension, claim.mechanism.name) == (next(iter(odd)), name)
    assert [one.value for one in claim.conditions] == ["10.0.3.8:443"]
    assert claim.likely[0].id == root
    assert sum(claim.values.values()) == claim.total.attempts


def test_behind_one_address_the_difference_stands_alone(agreed: Callable[..., Run]) -> None:
    run = agreed(
        lambda like: {"address": 0, "tls_version": 0x0304, "alpn": "h2" if like.block % 3 else None}
    )
    (claim,) = found(run)

    assert claim.category == "different-alpn"
    assert set(claim.values) == {"h2", "none"}


def test_clients_that_offer_other_things_agree_on_other_things(agreed: Callable[..., Run]) -> None:
    run = agreed(
        lambda like: {
            "tls_version": (0x0303, 0x0304)[like.client],
            "cipher": (RSA, 0x1301)[like.client],
            "alpn": (None, "h2")[like.client],
            "key_group": (P256, X25519)[like.client],
        }
    )

    assert not found(run)


def test_a_suite_that_follows_the_type_of_the_key_is_no_difference(
    agreed: Callable[..., Run],
) -> None:
    run = agreed(
        lambda like: {"tls_version": 0x0303, "cipher": ECDSA if like.address else RSA, "alpn": "h2"}
    )
    other = agreed(
        lambda like: {"tls_version": 0x0303, "cipher": RSA if like.address else RSA_CHACHA}
    )

    assert not found(run)
    assert [claim.category for claim in found(other)] == ["different-suite"]


def offering(accepted: Callable[[Cell], bool]) -> Callable[[Cell], dict[str, Any]]:
    def change(like: Cell) -> dict[str, Any]:
        others = dict.fromkeys(CELL_OTHERS) | {"offered": like.client == 1}
        resumed = like.client == 1 and accepted(like)
        answers = {"tls_version": 0x0304, "key_group": X25519, "chain": None if resumed else 1}
        return {"resumed": resumed, "others": tuple(others.values()), **answers}

    return change


def test_sessions_that_only_their_issuer_accepts_are_a_difference(
    agreed: Callable[..., Run],
) -> None:
    (claim,) = found(agreed(offering(lambda like: like.block % 3 == 0)))

    assert claim.category == "different-resumption"
    assert [one.id for one in claim.likely] == ["ticket-keys-not-shared"]
    # 14 of 40 blocks, half of the attempts offer.
    assert claim.values == {"no": 5200, "yes": 2800}


@pytest.mark.parametrize("accepted", [True, False])
def test_a_target_that_accepts_all_or_none_is_consistent(
    agreed: Callable[..., Run],
    accepted: bool,
) -> None:
    assert not found(agreed(offering(lambda _: accepted)))
    rare = agreed(offering(lambda like: accepted is (like.block != 7)))
    assert not found(rare)
