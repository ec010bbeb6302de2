from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from stress.lab.farm import Farm
from stress.model.plan import Stack
from stress.store import open_run

CASE = "cause-1-incomplete-chain"
COUNT = 48
OUR_ADDRESS = "127.0.0.5"


def test_the_proof_of_a_run_is_a_folder(ask: Any, run_file: Path, tmp_path: Path) -> None:
    answer = ask("evidence", run_file, "--out", tmp_path / "proof")

    assert (answer.code, answer.err) == (0, "")
    written = [Path(line) for line in answer.out.splitlines()]
    assert [path.is_file() for path in written] == [True] * 10
    assert "BEGIN CERTIFICATE" in (tmp_path / "proof" / CASE / "missing.pem").read_text()
    assert (tmp_path / "proof" / CASE / "failing.pcapng").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cause", "7"], "no cause 7"),
        (["--cause", "one"], "--cause"),
        (["--out", "/nowhere/at/all"], "cannot be used"),
    ],
)
def test_bad_words_are_explained(
    words: list[str], says: str, ask: Any, run_file: Path, tmp_path: Path
) -> None:
    answer = ask("evidence", run_file, "--out", tmp_path / "proof", *words)

    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err


def test_a_folder_in_use_and_a_missing_run_are_explained(
    ask: Any, run_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").touch()

    for words, says in (
        ([run_file, "--out", tmp_path], "not empty"),
        ([run_file], "--out"),
        ([tmp_path / "none.db", "--out", tmp_path / "proof"], "none.db"),
    ):
        answer = ask("evidence", *words)
        assert (answer.code, answer.out) == (2, "")
        assert says in " ".join(answer.err.split())


@pytest.mark.slow
def test_a_run_that_kept_nothing_says_so(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    profile = tmp_path / "bare.toml"
    profile.write_text("evidence-per-signature = 0\n")
    ask("run", *farm_words, "-n", 16, "-q", "--results", tmp_path, "--profile", profile)

    answer = ask("evidence", "--results", tmp_path, "--out", tmp_path / "proof")

    assert answer.code == 2
    assert "holds no evidence" in answer.err


@pytest.mark.slow
def test_what_is_kept_stays_within_the_profile(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    profile = tmp_path / "tight.toml"
    profile.write_text('evidence-per-signature = 50\nevidence-bytes = "50KB"\n')
    words = ("--processes", 1, "-q", "--results", tmp_path, "--name", "tight")
    ask("run", *farm_words, "-n", 64, "--profile", profile, *words)

    with open_run(tmp_path / "tight.db") as run:
        kept = list(run.transcripts())

    assert 5 < len(kept) < 20
    assert sum(each.bytes_kept for each in kept) < 60_000


@pytest.mark.slow
def test_to_be_shared_our_own_address_is_in_no_file(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    words = ("--source", OUR_ADDRESS, "-n", COUNT, "-q", "--results", tmp_path)
    ask("run", *farm_words, *words)
    for share in ([], ["--share"]):
        ask("evidence", "--results", tmp_path, "--out", tmp_path / f"proof{len(share)}", *share)

    said = [
        b"".join(path.read_bytes() for path in (tmp_path / name).glob("**/*") if path.is_file())
        for name in ("proof0", "proof1")
    ]
    for private in (OUR_ADDRESS.encode(), bytes([127, 0, 0, 5]), b"HANDSHAKE_TRAFFIC_SECRET"):
        assert private in said[0]
        assert private not in said[1]


@pytest.mark.slow
@pytest.mark.real("openssl", "curl")
@pytest.mark.parametrize("tool", ["openssl", "curl"])
def test_the_script_reproduces_the_failing_chain_in_the_lab(
    tool: str, ask: Any, run_file: Path, farm: Farm, tmp_path: Path
) -> None:
    ask("evidence", run_file, "--out", tmp_path / "proof")
    before = farm.served()["node-08"]

    script = tmp_path / "proof" / CASE / "reproduce.sh"
    ran = subprocess.run(["sh", script, tool], capture_output=True, check=False, text=True)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert farm.served()["node-08"] > before


def tshark(file: Path, *words: str) -> str:
    """What tshark prints; it must complain of nothing."""
    checks = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    ran = subprocess.run(
        ["tshark", "-r", file, *checks, *words], capture_output=True, check=True, text=True
    )
    assert [line for line in ran.stderr.splitlines() if 'Running as user "root"' not in line] == []
    return ran.stdout


@pytest.mark.slow
@pytest.mark.real("tshark")
@pytest.mark.parametrize("stack", Stack)
@pytest.mark.parametrize("client", ["tls12-only", "tls13-only"])
def test_tshark_shows_the_certificates_of_a_failure(
    client: str, stack: Stack, ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    words = ("--client", client, "--stack", stack, "-n", COUNT, "-q", "--close", "fin")
    ask("run", *farm_words, *words, "--results", tmp_path)
    ask("evidence", "--results", tmp_path, "--out", tmp_path / "proof")
    found: dict[str, str] = {}
    for name in ("failing", "control"):
        file = tmp_path / "proof" / CASE / f"{name}.pcapng"
        found[name] = tshark(file, "-Y", "tls.handshake.type == 11", "-V")
        assert tshark(file, "-q", "-z", "expert,warn").strip() == ""

    assert "www.lab.test" in found["failing"]
    assert "rdnSequence" in found["failing"]
    assert found["failing"].count("Certificate: 30") == found["failing"].count("Certificates (")
    assert found["control"].count("Certificate: 30") == 2 * found["control"].count("Certificates (")
