from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from stress.errors import UsageError
from stress.model.plan import Address, Target
from stress.planning.addresses import parse_resolver, resolve

Zone = Mapping[tuple[str, str], tuple[int, list[str]]]

ZONE: Zone = {
    ("both.example.", "A"): (300, ["192.0.2.20", "192.0.2.3", "192.0.2.3"]),
    ("both.example.", "AAAA"): (20, ["2001:db8::1"]),
    ("four.example.", "A"): (0, ["192.0.2.1"]),
    ("alias.example.", "CNAME"): (7, ["four.example."]),
    ("empty.example.", "TXT"): (5, ['"nothing"']),
}


def answer(query: bytes) -> bytes:
    """What a small authoritative server says: one zone, aliases followed, else NXDOMAIN."""
    message = dns.message.from_wire(query)
    question = message.question[0]
    reply = dns.message.make_response(message)
    name, kind = str(question.name), question.rdtype.name
    alias = ZONE.get((name, "CNAME"))
    if alias:
        reply.answer.append(dns.rrset.from_text(name, alias[0], "IN", "CNAME", *alias[1]))
        name = alias[1][0]
    found = ZONE.get((name, kind))
    if found:
        ttl = 60 if alias else found[0]
        reply.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *found[1]))
    elif not any(known == name for known, _ in ZONE):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


@contextmanager
def name_server() -> Iterator[str]:
    """A real DNS server on loopback, for as long as the block lasts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (got := sock.recvfrom(4096))[0] != b"stop":
                sock.sendto(answer(got[0]), got[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            sock.sendto(b"stop", sock.getsockname())
            thread.join()


@pytest.mark.parametrize(
    ("name", "ips", "ttl_s"),
    [
        ("both.example", ["192.0.2.3", "192.0.2.20", "2001:db8::1"], 20.0),
        ("four.example", ["192.0.2.1"], 1.0),
        ("alias.example", ["192.0.2.1"], 7.0),
    ],
)
def test_a_name_server_tells_all_addresses_and_the_shortest_ttl(
    name: str, ips: list[str], ttl_s: float
) -> None:
    with name_server() as server:
        found = trio.run(resolve, Target(name, 8443), server)

    assert found.addresses == tuple(Address(ip, 8443) for ip in ips)
    assert found.ttl_s == ttl_s


@pytest.mark.parametrize(
    ("name", "says"),
    [("none.example", "NXDOMAIN"), ("empty.example", "has neither A nor AAAA")],
)
def test_a_name_that_the_server_does_not_know_is_a_message(name: str, says: str) -> None:
    with name_server() as server, pytest.raises(UsageError, match=says) as caught:
        trio.run(resolve, Target(name), server)

    assert "--address" in str(caught.value.hint)


def test_a_server_that_never_answers_is_a_message() -> None:
    impatient = partial(resolve, patience_s=0.05)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UsageError, match=r"did not resolve within 0\.05 s"):
            trio.run(impatient, Target("both.example"), server)


def test_the_system_knows_localhost_and_no_ttl() -> None:
    found = trio.run(resolve, Target("localhost", 8443), None)

    assert Address("127.0.0.1", 8443) in found.addresses
    assert len(set(found.addresses)) == len(found.addresses)
    assert found.ttl_s == 60.0


def test_what_the_system_refuses_is_a_message() -> None:
    host = "a" * 64 + ".example"  # refused without a query

    with pytest.raises(UsageError, match="does not resolve") as caught:
        trio.run(resolve, Target(host), None)

    assert "--resolver" in str(caught.value.hint)


@pytest.mark.parametrize("ip", ["192.0.2.1", "2001:db8::1"])
def test_an_address_stands_for_itself_and_for_ever(ip: str) -> None:
    found = trio.run(resolve, Target(ip, 8443), None)

    assert found.addresses == (Address(ip, 8443),)
    assert found.ttl_s is None


@pytest.mark.parametrize(
    ("text", "place"),
    [("192.0.2.53", ("192.0.2.53", 53)), ("[::1]:5353", ("::1", 5353)), ("::1", ("::1", 53))],
)
def test_a_resolver_is_an_address_with_an_optional_port(text: str, place: tuple[str, int]) -> None:
    assert parse_resolver(text) == place


@pytest.mark.parametrize("text", ["dns.example", "192.0.2.53:0", ""])
def test_what_is_no_resolver_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_resolver(text)
