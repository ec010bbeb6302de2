"""The plan survives the run file; private anchors travel, public ones leave a fingerprint."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from stress.model.client import Client, Stack
from stress.model.plan import Arrivals, Close, Limits, Load, Plan, Trust
from stress.model.target import Address, Target
from stress.store.schema import anchors_fingerprint, plan_text, private_anchors, read_plan

FULL = Plan(
    target=Target("x.example", 8443),
    addresses=(Address("2001:db8::1", 8443, "blue \u202e<b>"),),
    clients=(Client("ios", versions=(0x0303,), alpn=("h2", "http/1.1"), weight=0.25),),
    load=Load(count=None, duration_s=12.5, rate=500.0, arrivals=Arrivals.POISSON, processes=2),
    limits=Limits(attempt_s=3.5),
    trust=Trust("apple", "x.example", (b"\x30\x00",), "ca.pem", True, 5, (b"\x01" * 32,)),
    server_name=None,
    stack=Stack.OPENSSL,
    close=Close.RST,
    sources=("127.0.0.1",),
    resolve_again_s=60.0,
    seed=2**60,
    notes=("a note",),
)


@pytest.mark.parametrize("plan", [FULL, Plan(Target("x.example"), (), ())])
def test_a_plan_is_read_as_it_was_written(plan: Plan) -> None:
    assert read_plan(plan_text(plan), plan.trust.anchors) == plan


def test_anchors_are_not_in_the_text() -> None:
    public = replace(FULL, trust=replace(FULL.trust, private=False))

    assert plan_text(public) == plan_text(replace(public, trust=replace(public.trust, anchors=())))
    assert private_anchors(public) == ()
    assert private_anchors(FULL) == (b"\x30\x00",)


def test_the_fingerprint_does_not_depend_on_the_order() -> None:
    def with_anchors(*anchors: bytes) -> str:
        return anchors_fingerprint(replace(FULL, trust=Trust(anchors=anchors)))

    assert with_anchors(b"a", b"b") == with_anchors(b"b", b"a")
    assert with_anchors(b"a", b"b") != with_anchors(b"a", b"c")


@pytest.mark.parametrize("text", ["", "{}", '{"target": {"host": "", "port": 443}}', "[1]"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_plan(text, ())
