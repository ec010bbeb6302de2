"""Every shipped client profile says what a TLS library of ours really sends."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from stress.clients.profiles import clients
from stress.errors import UsageError
from stress.handshake import State, stack_for, stack_speaking
from stress.handshake.hello import is_grease, read_hello
from stress.model.plan import Stack
from tests.handshake.ends import HOST, Pki, Server, shake
from tests.planning.packets import ethernet, pcap, tcp

NAMES = {
    *("generic", "ios-urlsession", "ios-safari", "ios-26", "ios-11", "android-okhttp"),
    *("android-7", "chrome", "firefox", "java-17", "go", "curl-openssl", "python"),
    *("tls12-only", "tls13-only", "ecdsa-only", "rsa-only", "no-sni", "mlkem", "no-mlkem"),
}
OPENSSL_ONLY = {"java-17", "curl-openssl", "python"}
FIELDS = ("cipher_suites", "groups", "key_shares", "signature_algorithms")


def stacks(name: str) -> list[Stack]:
    return [Stack.OPENSSL] if name in OPENSSL_ONLY else list(Stack)


SPOKEN = [
    pytest.param(name, each, id=f"{name}-{each}") for name in sorted(NAMES) for each in stacks(name)
]


def test_the_promised_clients_are_there() -> None:
    assert set(clients()) >= NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_file_says_where_its_facts_come_from(repository: Path, name: str) -> None:
    text = (repository / "profiles" / "clients" / f"{name}.toml").read_text()

    assert text.startswith("# ")
    assert clients()[name].title
    if not clients()[name].title.startswith(("Variant", "BoringSSL")):
        assert "JA4" in text
        assert clients()[name].cannot_express


@pytest.mark.parametrize(("name", "stack"), SPOKEN)
def test_each_client_is_sent_as_its_file_says(name: str, stack: Stack) -> None:
    client = clients()[name]

    hello = read_hello(stack_for(client, stack, server_name=HOST).machine().begin().send)

    for field in FIELDS:
        asked = getattr(client, field)
        sent = [each for each in getattr(hello, field) if not is_grease(each) and each != 0xFF]
        assert not asked or set(sent) == set(asked) - {0xFF}, field
    assert hello.alpn == client.alpn
    assert hello.server_name == (HOST if client.server_name else None)


@pytest.mark.parametrize(("name", "stack"), SPOKEN)
def test_each_client_finishes_a_handshake(name: str, stack: Stack, pki: Pki) -> None:
    machine = stack_for(clients()[name], stack, server_name=HOST).machine()
    identity = pki.ecdsa if name == "ecdsa-only" else pki.rsa

    step = shake(machine, Server(identity))

    assert step.state is State.FINISHED
    assert machine.facts().chain == identity.chain


@pytest.mark.boringssl
@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_profile_names_its_library_where_boringssl_is_none(name: str) -> None:
    """It would be found by trying; the file spares that, and says it to whoever reads."""
    unnamed = replace(clients()[name], stack=None)

    assert (stack_speaking(unnamed) is Stack.OPENSSL) == (name in OPENSSL_ONLY)
    assert (clients()[name].stack is Stack.OPENSSL) == (name in {*OPENSSL_ONLY, "firefox"})


@pytest.mark.boringssl
@pytest.mark.parametrize("name", sorted(OPENSSL_ONLY))
def test_what_boringssl_would_only_pretend_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="BoringSSL") as caught:
        stack_for(clients()[name], Stack.BORINGSSL, server_name=HOST)

    assert "--stack openssl" in (caught.value.hint or "")


@pytest.mark.boringssl
def test_the_mlkem_arms_differ_in_the_segments_of_their_hello() -> None:
    sizes = {
        name: len(
            stack_for(clients()[name], Stack.BORINGSSL, server_name=HOST).machine().begin().send
        )
        for name in ("mlkem", "no-mlkem")
    }

    assert sizes["no-mlkem"] < 1400 < sizes["mlkem"]


TSHARK = ("srcport", "ja3", "ciphersuite", "extension.type", "sig_hash_alg")


@pytest.mark.slow
@pytest.mark.real("tshark")
def test_wireshark_reads_the_same_fingerprints_from_the_bytes(tmp_path: Path) -> None:
    """JA3 is Wireshark's own; JA4 is put together here from the lists that Wireshark decoded."""
    ours, packets = {}, []
    for number, (name, stack) in enumerate(one.values for one in SPOKEN):
        assert isinstance(name, str)
        assert isinstance(stack, Stack)
        sent = stack_for(clients()[name], stack, server_name=HOST).machine().begin().send
        hello, port = read_hello(sent), 20_000 + number
        ours[port] = (hello.ja3_md5, *hello.ja4.split("_")[1:])
        packets += [
            ethernet(tcp(sent[at : at + 1_400], 1_000 + at, source=("192.0.2.1", port)))
            for at in range(0, len(sent), 1_400)
        ]
    file = tmp_path / "hellos.pcap"
    file.write_bytes(pcap(packets))

    assert wiresharks(file) == ours


def wiresharks(file: Path) -> dict[int, tuple[str, ...]]:
    """Local port -> JA3, and the two hashes of JA4."""
    fields = [f"tls.handshake.{name}" if name != "srcport" else "tcp.srcport" for name in TSHARK]
    command = ["tshark", "-r", str(file), "-Y", "tls.handshake.type == 1", "-T", "fields"]
    command += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        port, ja3, *lists = line.split("\t")
        suites, extensions, signatures = (
            [number for word in each.split(",") if word and not is_grease(number := int(word, 0))]
            for each in lists
        )
        rest = sorted(number for number in extensions if number not in {0, 16})
        hashes = (hexes(sorted(suites)), f"{hexes(rest)}_{hexes(signatures)}".rstrip("_"))
        found[int(port)] = (ja3, *(sha256(each.encode()).hexdigest()[:12] for each in hashes))
    return found


def hexes(numbers: list[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)
