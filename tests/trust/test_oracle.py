"""Holds the `openssl` policy against the real program: each defect, and chains made by chance."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from stress.model.chain import Refusal
from stress.trust import Judge, describe
from stress.trust.rules.identity import literal
from tests.trust.certificates import AT, authorities
from tests.trust.defects import DEFECTS, Defect, private
from tests.trust.random_chains import draw

HAVE = [
    one
    for one in DEFECTS
    # The program reads PEM files leniently where a handshake must parse every certificate.
    if one.name not in {"unreadable-leaf", "unreadable-extra"}
]


def pem(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)


def accepts(sent: tuple[bytes, ...], host: str, folder: Path) -> bool:
    """What `openssl verify` says to the chain, at the moment of judgement."""
    leaf, roots, others = (folder / name for name in ("leaf", "roots", "others"))
    leaf.write_text(pem(sent[0]), encoding="ascii")
    roots.write_text("".join(map(pem, authorities().anchors)), encoding="ascii")
    others.write_text("".join(map(pem, sent[1:])), encoding="ascii")
    named = "-verify_hostname" if literal(host) is None else "-verify_ip"
    command = ["openssl", "verify", "-attime", str(AT), "-purpose", "sslserver"]
    command += ["-auth_level", "2", "-no-CApath", "-no-CAstore", "-CAfile", str(roots)]
    command += [named, host, *(["-untrusted", str(others)] if sent[1:] else []), str(leaf)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.real("openssl")
@pytest.mark.parametrize("defect", HAVE, ids=lambda one: one.name)
def test_the_openssl_policy_says_what_openssl_says(defect: Defect, tmp_path: Path) -> None:
    sent = defect.make()
    verdict = Judge(defect.anchors()).judge(sent, host=defect.host, at=AT, policy="openssl")

    assert (verdict.refusal is Refusal.NO) == accepts(sent, defect.host, tmp_path), verdict.findings
    assert not describe(sent[0]).unreadable


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.real("openssl")
def test_chains_made_by_chance_get_the_same_answer_from_openssl(tmp_path: Path) -> None:
    """Odd authorities, leaves, orders and hosts together; a different one is told by its number."""
    judge = Judge(private())
    agreed, differ = {True: 0, False: 0}, []
    for number in range(400):
        drawn = draw(number)
        verdict = judge.judge(drawn.sent, host=drawn.host, at=AT, policy="openssl")
        really = accepts(drawn.sent, drawn.host, tmp_path)
        if really is (verdict.refusal is Refusal.NO):
            agreed[really] += 1
        else:
            differ.append((number, drawn.host, verdict.findings))

    assert not differ
    assert min(agreed.values()) > 100
