from dataclasses import fields

from stress.cli.options import parse
from stress.planning import Request

WORDS = {
    "profile": "--profile smoke",
    "count": "-n 5",
    "duration": "-d 30s",
    "concurrency": "-c 7",
    "rate": "--rate 500/s",
    "processes": "--processes 2",
    "detect": "--detect 0.1%",
    "hold": "--hold 60s",
    "seed": "--seed 9",
    "clients": "--client generic=2 --client go",
    "sni": "--sni none",
    "stack": "--stack openssl",
    "addresses_inline": "--address 127.0.0.1:1=a --address ::1",
    "addresses_file": "--addresses -",
    "sources": "--source 127.0.0.2",
    "resolver": "--resolver 127.0.0.1",
    "proxy_protocol": "--proxy-protocol v2",
    "cert": "--cert c.pem",
    "key": "--key k.pem",
    "timeout": "--timeout 3s",
    "close": "--close rst",
    "ca": "--ca ca.pem",
    "policy": "--policy none",
    "at": "--at +30d",
    "pins": "--pin sha256//a --pin sha256//b",
    "authorized": "--i-am-authorized",
}


def test_each_option_fills_its_own_field_with_the_text_as_typed() -> None:
    for field, words in WORDS.items():
        given = words.split()
        request = parse(["edge.test", *given])
        expected: object = given[1] if len(given) == 2 else tuple(given[1::2])
        if field in {"clients", "addresses_inline", "sources", "pins"}:
            expected = tuple(given[1::2])
        if field == "authorized":
            expected = True

        assert getattr(request, field) == expected
        others = [f.name for f in fields(Request) if f.name not in {field, "targets"}]
        assert all(not getattr(request, name) for name in others)


def test_all_targets_are_passed_on() -> None:
    assert parse(["a.test", "b.test"]).targets == ("a.test", "b.test")
