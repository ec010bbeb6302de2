import pytest

from stress.cli.options import parse
from stress.planning.option import Section, ValueType
from stress.planning.request import options

WORDS = {
    "profile": "--profile smoke",
    "count": "-n 5",
    "duration": "-d 30s",
    "concurrency": "-c 7",
    "rate": "--rate 500/s",
    "processes": "--processes 2",
    "detect": "--detect 0.1%",
    "find_limit": "--find-limit failing<1%",
    "sweep": "--sweep clients --sweep concurrency",
    "rate_blocks": "--rate-blocks",
    "hold": "--hold 60s",
    "identify": "--identify header:X-Served-By",
    "ticket_names": "--ticket-names",
    "backends": "--backends",
    "seed": "--seed 9",
    "clients": "--client generic=2 --client go",
    "sni": "--sni none",
    "stack": "--stack openssl",
    "resumption": "--resumption 70%",
    "addresses_inline": "--address 127.0.0.1:1=a --address ::1",
    "addresses_file": "--addresses -",
    "sources": "--source 127.0.0.2",
    "vantages": "--vantage fra=ssh://fra.test --vantage home=local",
    "deploy": "--deploy",
    "weights": "--weight fra=2 --weight home=0.5",
    "rows": "--rows there",
    "secrets": "--secrets here",
    "resolver": "--resolver 127.0.0.1",
    "proxy_protocol": "--proxy-protocol v2",
    "proxy": "--proxy http://10.0.0.1:3128",
    "proxy_authorization": "--proxy-authorization FILE",
    "starttls": "--starttls smtp",
    "cert": "--cert c.pem",
    "key": "--key k.pem",
    "timeout": "--timeout 3s",
    "close": "--close rst",
    "ca": "--ca ca.pem",
    "stores": "--stores stores.db",
    "policy": "--policy none",
    "at": "--at +30d",
    "pins": "--pin sha256//a --pin sha256//b",
    "aia": "--aia",
    "until": "--until failures>=1 --until failing<1%",
    "assertions": "--assert chains==1",
    "max_duration": "--max-duration 5m",
    "stop_on_refusal": "--stop-on-refusal",
    "drain": "--drain 0",
    "interrupted": "--continue nightly",
    "authorized": "--i-am-authorized",
    "json": "--json",
    "html": "--html a.html",
    "junit": "--junit a.xml",
    "openmetrics": "--openmetrics a.txt",
    "markdown": "--markdown a.md",
    "quiet": "-q",
    "name": "--name nightly",
    "results": "--results runs",
    "metrics": "--metrics 9100",
}


def test_each_option_fills_its_own_field_with_the_text_as_typed() -> None:
    for field, words in WORDS.items():
        given = words.split()
        request = parse(["edge.test", *given])
        expected: object = given[1] if len(given) == 2 else tuple(given[1::2])
        if options()[field].value is ValueType.LIST:
            expected = tuple(given[1::2])
        if options()[field].value is ValueType.SWITCH:
            expected = True

        assert getattr(request, field) == expected
        assert request.given() == {field, "targets"}


def test_all_targets_are_passed_on() -> None:
    assert parse(["a.test", "b.test"]).targets == ("a.test", "b.test")


def test_every_declared_option_is_on_the_command_line() -> None:
    declared = {
        field for field, option in options().items() if option.section is not Section.PROFILE_ONLY
    }

    assert declared == {*WORDS, "targets"}


@pytest.mark.parametrize(
    ("words", "wish"),
    [((), None), (("--stop-on-refusal",), True), (("--no-stop-on-refusal",), False)],
)
def test_stopping_at_refusals_may_be_asked_for_and_declined(
    words: tuple[str, ...], wish: bool | None
) -> None:
    assert parse(["edge.test", *words]).stop_on_refusal is wish
