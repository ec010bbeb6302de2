from __future__ import annotations

import ssl
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from stress.errors import UsageError
from stress.evidence.folder import Dossier, difference, pem, readme, write
from stress.evidence.selection import cases
from stress.model.chain import chain_hash
from stress.model.plan import Trust
from stress.model.summary import Condition
from tests.evidence.conftest import ADDRESS, HOST, Shake, cause_of, plan_for, transcript
from tests.evidence.dossiers import dossier_of, facts_for, summary_of
from tests.evidence.packets import read_capture
from tests.stacks import main_stack
from tests.trust.certificates import authorities
from tests.trust.defects import DEFECTS

LOCAL = b"198.51.100.99"
PACKED = bytes([198, 51, 100, 99])


@pytest.fixture(scope="module")
def whole(server_files: dict[str, Path]) -> tuple[bytes, ...]:
    certificates = x509.load_pem_x509_certificates(server_files["whole"].read_bytes())
    return tuple(each.public_bytes(Encoding.DER) for each in certificates)


@pytest.fixture
def dossier(shake: Shake, whole: tuple[bytes, ...]) -> Dossier:
    """A failing and a good connection, their chains, and a private anchor."""
    kept = [shake(main_stack(), 0x0304, "alone"), shake(main_stack(), 0x0304, "whole")]
    cause = cause_of(1, "incomplete-chain", ("vantage", LOCAL.decode()))
    trust = Trust(host=HOST, anchors=whole[1:], private=True, anchors_from="/secret/jane/ca.pem")
    plan = plan_for(trust=trust, sources=(LOCAL.decode(),), client_key="/secret/jane/key.pem")
    cause = replace(cause, sentence=f"All from {LOCAL.decode()}.")
    return dossier_of(kept, [cause], [whole, whole[:1]], plan=plan)


def test_a_folder_holds_what_the_readme_promises(dossier: Dossier, tmp_path: Path) -> None:
    files = write(tmp_path / "proof", dossier, cause=None, share=False)

    inside = {str(path.relative_to(tmp_path / "proof")) for path in files}
    case = "cause-1-incomplete-chain"
    assert inside == {
        "README.txt",
        "anchors.pem",
        f"{case}/failing.pcapng",
        f"{case}/control.pcapng",
        f"{case}/timeline.txt",
        f"{case}/chain-failing.pem",
        f"{case}/chain-good.pem",
        f"{case}/difference.txt",
        f"{case}/reproduce.sh",
    }
    failing = read_capture((tmp_path / "proof" / case / "failing.pcapng").read_bytes())
    assert len(failing.secrets.splitlines()) == 2
    assert b"TRAFFIC_SECRET_0" not in failing.secrets


def test_a_missing_certificate_that_another_chain_has_is_written_out(
    shake: Shake, tmp_path: Path
) -> None:
    """One intermediate of two was left out, and a good connection received it."""
    first, upper, lower = next(one for one in DEFECTS if one.name == "bad-order").make()
    kept = [shake(main_stack(), 0x0304, "alone"), shake(main_stack(), 0x0304, "whole")]
    sent = [(first,), (first, lower, upper)]
    records = [
        replace(one, record=one.record._replace(chain=chain_hash(chain)))
        for one, chain in zip(kept, sent, strict=True)
    ]
    trust = Trust(host=HOST, anchors=authorities().anchors, private=True, anchors_from="ca.pem")
    cause = cause_of(1, "incomplete-chain", ("address", str(ADDRESS)))
    dossier = dossier_of(records, [cause], sent, plan=plan_for(trust=trust))

    write(tmp_path / "proof", dossier, cause=None, share=False)

    missing = (tmp_path / "proof" / "cause-1-incomplete-chain" / "missing.pem").read_text()
    assert missing == pem([lower, upper])


def test_nobody_else_may_read_it(dossier: Dossier, tmp_path: Path) -> None:
    folder = tmp_path / "proof"
    folder.mkdir(mode=0o755)

    files = write(folder, dossier, cause=None, share=False)

    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}


def test_to_be_shared_nothing_private_is_in_it(dossier: Dossier, tmp_path: Path) -> None:
    files = write(tmp_path / "shared", dossier, cause=None, share=True)

    said = b"".join(path.read_bytes() for path in files)
    secrets = [line.split()[2] for each in dossier.transcripts for line in each.secrets]
    private = [LOCAL, PACKED, b"jane", b"secret/", b"TRAFFIC_SECRET", b"10.9.8.7"]
    private += [word.encode() for word in secrets] + [bytes.fromhex(word) for word in secrets]
    assert len(secrets) == 4
    assert [word for word in private if word in said] == []
    assert b"192.0.2.1" in said
    assert ADDRESS.ip.encode() in said


def test_the_same_is_in_it_when_it_is_not_shared(dossier: Dossier, tmp_path: Path) -> None:
    files = write(tmp_path / "proof", dossier, cause=None, share=False)

    said = b"".join(path.read_bytes() for path in files)
    for word in (LOCAL, PACKED, b"jane", b"TRAFFIC_SECRET"):
        assert word in said


@pytest.mark.parametrize("what", ["a file in it", "a file", "no parent", "below a file"])
def test_what_exists_is_never_overwritten(what: str, dossier: Dossier, tmp_path: Path) -> None:
    folder = tmp_path / "proof"
    if what == "a file in it":
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
    elif what != "no parent":
        folder.write_text("mine")
    place = folder if what.startswith("a file") else folder / "below"

    with pytest.raises(UsageError, match="--out"):
        write(place, dossier, cause=None, share=False)

    assert what == "no parent" or len(list(tmp_path.glob("**/*"))) <= 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (dossier_of([], failures=0), "nothing failed"),
        (dossier_of([]), "holds no evidence"),
        (dossier_of([transcript("eof")]), r"no cause 7"),
    ],
)
def test_where_there_is_nothing_to_show_it_says_why(
    wrong: Dossier, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        write(tmp_path / "proof", wrong, cause=7, share=False)

    assert caught.value.hint
    assert not (tmp_path / "proof").exists()


def test_one_cause_alone_can_be_written(tmp_path: Path) -> None:
    known = dossier_of([transcript("eof"), transcript("reset")], [cause_of(1, "eof")])

    write(tmp_path / "proof", known, cause=2, share=False)

    assert [path.name for path in (tmp_path / "proof").iterdir() if path.is_dir()] == [
        "unexplained-2-reset"
    ]


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ((), 52),
        ((("address", str(ADDRESS)),), 25),
        ((("address", "203.0.113.1:1"),), 52),
        ((("client", "generic"),), 52),
    ],
)
def test_the_tries_go_by_the_share_at_the_address(
    conditions: tuple[tuple[str, str], ...], count: int, tmp_path: Path
) -> None:
    """Five of 40 attempts failed, all of them among the 20 at the address in question."""
    mechanism = Condition("stage", "finished")
    known = dossier_of([transcript("eof")], [cause_of(1, "eof", *conditions, mechanism=mechanism)])

    write(tmp_path / "proof", known, cause=None, share=False)

    script = (tmp_path / "proof" / "cause-1-eof" / "reproduce.sh").read_text()
    assert f"tries=${{2:-{count}}}" in script


def test_a_cause_without_a_kept_connection_is_still_named(tmp_path: Path) -> None:
    known = dossier_of([transcript("eof")], [cause_of(1, "reset")])

    write(tmp_path / "proof", known, cause=None, share=False)

    assert "cause-1-reset" in (tmp_path / "proof" / "README.txt").read_text()


def about(*, shared: bool = False, sentence: str = "All of them are there.") -> str:
    kept = [transcript("incomplete-chain", chain=bytes(32)), transcript("eof")]
    causes = [cause_of(1, "incomplete-chain", sentence=sentence)]
    found = cases(kept, causes, plan_for())
    return readme(facts_for(plan_for()), summary_of(causes), found, shared=shared)


def test_it_says_what_failed_and_what_is_where() -> None:
    said = about()

    assert "5 of 40 handshakes failed." in said
    assert "cause-1-incomplete-chain/" in said
    assert "Fix: Mend it." in said
    assert "unexplained-2-eof/" in said
    for file in ("failing.pcapng", "control.pcapng", "timeline.txt", "reproduce.sh"):
        assert file in said
    assert "openssl verify" in said


def test_secrets_are_warned_of_where_they_are() -> None:
    assert "secrets of these test connections are inside" in about()
    assert "secrets of these test connections are inside" not in about(shared=True)


@pytest.mark.parametrize("private", ["jane-laptop", "10.9.8.7"])
def test_to_be_shared_it_does_not_say_who_asked(private: str) -> None:
    assert private in about()
    assert private not in about(shared=True)


def test_hostile_words_do_nothing() -> None:
    said = about(sentence="\x1b[2J\u202egnp.exe")

    assert "\x1b" not in said
    assert "\u202e" not in said


def test_lines_fit_a_terminal() -> None:
    assert max(map(len, about().splitlines())) <= 100


def test_pem_has_the_certificates_in_the_order_sent_and_nothing_else(
    whole: tuple[bytes, ...],
) -> None:
    text = pem(whole[::-1])

    parts = text.split("-----END CERTIFICATE-----\n")
    assert parts[-1] == ""
    assert [
        ssl.PEM_cert_to_DER_cert(f"{part}-----END CERTIFICATE-----") for part in parts[:-1]
    ] == [*whole[::-1]]
    assert pem(()) == ""


def test_the_difference_names_what_is_missing(whole: tuple[bytes, ...]) -> None:
    text = difference(whole, whole[:1], ["incomplete-chain: the issuer was not sent"])

    assert "What differs: same leaf; intermediate Evidence Intermediate missing." in text
    assert "- incomplete-chain: the issuer was not sent" in text
    assert text.count("subject  ") == 3


def test_without_a_good_chain_nothing_is_compared(whole: tuple[bytes, ...]) -> None:
    assert "No good chain was seen" in difference(None, whole[:1], [])


def test_the_same_chain_good_elsewhere_is_said(whole: tuple[bytes, ...]) -> None:
    assert "the same chain was good elsewhere" in difference(whole, whole, [])


@pytest.mark.parametrize("bad", [(), (b"\x30\x00",), (b"\x1b[2J",)])
def test_what_is_no_certificate_is_told_and_does_nothing(
    bad: tuple[bytes, ...], whole: tuple[bytes, ...]
) -> None:
    text = difference(whole, bad, ["\x1b[31mred"])

    assert "\x1b" not in text
    assert "cannot be read" in text or "(no certificate)" in text
