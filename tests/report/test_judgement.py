"""The answer of `judge`, as text and as JSON."""

from __future__ import annotations

import json

from stress.model.chain import Verdict
from stress.report.judgement import Judgement, judgement_document, render_judgement
from stress.trust import Judge, describe
from tests.trust.certificates import AT, authorities, chain, leaf
from tests.trust.defects import good, private


def judgement(certificates: tuple[bytes, ...], *met: bytes) -> Judgement:
    judge = Judge(private())
    judge.meet(met)
    verdicts: dict[str, Verdict] = {
        name: judge.judge(certificates, host="good.test", at=AT, policy=name)
        for name in ("go", "chrome", "python-3.13")
    }
    missing = judge.missing(certificates, AT)
    return Judgement("good.test", AT, certificates, verdicts, missing, "the anchors in ca.pem")


def test_a_good_chain_is_accepted_by_all() -> None:
    certificates = good()
    found = judgement(certificates)
    document = json.loads(judgement_document(found))

    assert found.accepted
    assert document["schema"] == "tls-stress/judge/1"
    assert document["chain"] == [describe(der).sha256.hex() for der in certificates]
    assert {one["verdict"] for one in document["families"].values()} == {"accepts"}
    assert {one["category"] for one in document["families"].values()} == {None}
    assert document["missing"] == []
    assert "go:             accepts\n" in render_judgement(found)


def test_a_missing_certificate_is_printed_with_what_each_client_shows() -> None:
    found = judgement(good()[:1], *good())
    document, text = json.loads(judgement_document(found)), render_judgement(found)

    assert not found.accepted
    assert document["families"]["go"]["verdict"] == "refuses"
    assert document["families"]["go"]["category"] == "incomplete-chain"
    assert document["families"]["go"]["reports"] in " ".join(text.split())
    assert [one["sha256"] for one in document["missing"]] == [
        describe(authorities().intermediate.der).sha256.hex()
    ]
    assert authorities().intermediate.pem in text
    assert document["missing"][0]["pem"] == authorities().intermediate.pem


def test_hostile_names_are_escaped_and_lines_short() -> None:
    made = leaf(common_name="evil\n\x1b[31m\u202e", dns=("\x07.test",))
    found = judgement((*chain(made), b"garbage"))
    text = render_judgement(found)

    assert all(one.isprintable() or one == "\n" for one in text + judgement_document(found))
    assert max(map(len, text.splitlines())) <= 100
    assert "cannot be parsed" in text
