"""Holds the `openssl` policy against the real program, for each defect of the table."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from stress.model.verdict import Refusal
from stress.trust import Judge, describe
from tests.trust.certificates import AT, authorities
from tests.trust.defects import DEFECTS, Defect

HAVE = [
    one
    for one in DEFECTS
    # The program reads PEM files leniently where a handshake must parse every certificate.
    if one.name not in {"unreadable-leaf", "unreadable-extra"}
]


def pem(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)


def accepts(defect: Defect, sent: tuple[bytes, ...], folder: Path) -> bool:
    """What `openssl verify` says to the chain, at the moment of judgement."""
    leaf, roots, others = (folder / name for name in ("leaf", "roots", "others"))
    leaf.write_text(pem(sent[0]), encoding="ascii")
    roots.write_text("".join(map(pem, authorities().anchors)), encoding="ascii")
    others.write_text("".join(map(pem, sent[1:])), encoding="ascii")
    named = "-verify_ip" if defect.host[0].isdigit() else "-verify_hostname"
    command = ["openssl", "verify", "-attime", str(AT), "-purpose", "sslserver"]
    command += ["-auth_level", "2", "-no-CApath", "-no-CAstore", "-CAfile", str(roots)]
    command += [named, defect.host, *(["-untrusted", str(others)] if sent[1:] else []), str(leaf)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.real("openssl")
@pytest.mark.parametrize("defect", HAVE, ids=lambda one: one.name)
def test_the_openssl_policy_says_what_openssl_says(defect: Defect, tmp_path: Path) -> None:
    sent = defect.make()
    verdict = Judge(defect.anchors()).judge(sent, host=defect.host, at=AT, policy="openssl")

    assert (verdict.refusal is Refusal.NO) == accepts(defect, sent, tmp_path), verdict.findings
    assert not describe(sent[0]).unreadable
