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
from stress.handshake.hello import PADDING, is_grease, read_hello
from stress.model.plan import Stack
from tests.handshake.ends import HOST, Pki, Server, shake
from tests.planning.packets import ethernet, pcap, tcp

SENT = {
    "android-17": "t13d1512h2_8daaf6152771_40271e0a5736",
    "android-7": "t12d1208h2_d34a8e72043a_8c06664c3ac5",
    "android-okhttp": "t13d1512h2_8daaf6152771_40271e0a5736",
    "chrome": "t13d1514h2_8daaf6152771_f87c85e88c23",
    "curl-openssl": "t13d3011h2_1d37bd780c83_c3976d268853",
    "curl-openssl-3.0": "t13d3110h2_e8f1e7e78f70_c9e58cc61e36",
    "ecdsa-only": "t13d061000_69b98725f518_44f3fd0fa76b",
    "firefox": "t13d1713h2_5b57614c22b0_da8684258a38",
    "generic": "t13d171000_5b57614c22b0_78e6aca7449b",
    "go": "t13d1312h2_f57a46bbacb6_42bc7e6fe5b2",
    "go-1.24": "t13d1313h2_f57a46bbacb6_9249cab70c77",
    "ios-11": "t12d1410h2_c866b44c5a26_e69ac49eb88f",
    "ios-26": "t13d1713h2_5b57614c22b0_6a3d802a7139",
    "ios-26-app": "t13d1313h2_f57a46bbacb6_943041f22a88",
    "ios-safari": "t13d1713h2_5b57614c22b0_6a3d802a7139",
    "ios-urlsession": "t13d1313h2_f57a46bbacb6_943041f22a88",
    "java-17": "t13d3613h2_c014a34ff1af_cbcebb6b7430",
    "java-21": "t13d3613h2_c014a34ff1af_cbcebb6b7430",
    "mldsa": "t13d171000_5b57614c22b0_786d0db9cc51",
    "mlkem": "t13d171000_5b57614c22b0_78e6aca7449b",
    "no-mldsa": "t13d171000_5b57614c22b0_9ced094328c9",
    "no-mlkem": "t13d171000_5b57614c22b0_78e6aca7449b",
    "no-sni": "t13i170900_5b57614c22b0_78e6aca7449b",
    "postgres-direct": "t13d1711pl_5b57614c22b0_78e6aca7449b",
    "python": "t13d301100_1d37bd780c83_8e6e362c5eac",
    "python-3.11": "t13d171100_ab0a1bf427ad_a73c180f63e0",
    "rsa-only": "t13d061000_482d49a5d1a3_1df82fd8bc14",
    "tls12-only": "t12d140700_c866b44c5a26_0f3b2bcde21d",
    "tls13-only": "t13d030600_55b375c5d22e_678be4e4848e",
}
"""JA4 of each profile, without padding, as the library of its choice sends it. A change is a change
of every run. BoringSSL pads hellos of 256 to 511 bytes (RFC 7685), and draws their exact length."""
NAMES = set(SENT)
OPENSSL_ONLY = {
    *("java-17", "java-21", "curl-openssl", "curl-openssl-3.0", "python", "python-3.11", "go"),
}
FIELDS = ("cipher_suites", "groups", "key_shares", "signature_algorithms")


def stacks(name: str) -> list[Stack]:
    return [Stack.OPENSSL] if name in OPENSSL_ONLY else list(Stack)


SPOKEN = [
    pytest.param(name, each, id=f"{name}-{each}") for name in sorted(NAMES) for each in stacks(name)
]


@pytest.mark.boringssl
def test_each_profile_is_sent_with_its_fingerprint() -> None:
    sent = {}
    for name, client in clients().items():
        factory = stack_for(client, stack_speaking(client), server_name=HOST)
        hello = read_hello(factory.machine().begin().send)
        unpadded = tuple(each for each in hello.extensions if each.number != PADDING)
        sent[name] = replace(hello, extensions=unpadded).ja4

    assert sent == SENT


@pytest.mark.boringssl
def test_the_mldsa_arms_differ_in_nothing_else() -> None:
    offered, bare = (
        read_hello(
            stack_for(clients()[name], Stack.BORINGSSL, server_name=HOST).machine().begin().send
        )
        for name in ("mldsa", "no-mldsa")
    )
    new = offered.signature_algorithms[:3]

    assert new == (0x0904, 0x0905, 0x0906)
    assert offered.signature_algorithms[3:] == bare.signature_algorithms
    assert sorted(e.number for e in offered.extensions if not is_grease(e.number)) == sorted(
        e.number for e in bare.extensions if not is_grease(e.number)
    )
    assert {e.number for e in offered.extensions} >= {13, 43, 51}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_file_says_where_its_facts_come_from(repository: Path, name: str) -> None:
    text = (repository / "profiles" / "clients" / f"{name}.toml").read_text()

    schema, facts = text.split("\n", 1)

    assert schema.startswith("#:schema ")
    assert facts.startswith("# ")
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
    with pytest.raises(UsageError, match=r"(?i)boringssl") as caught:
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
