from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stress.dialogues.proxies import IN_VARIABLE, VARIABLE
from stress.errors import UsageError
from stress.host.limits import Machine
from stress.model.plan import Address, Plan, Proxy, ProxyScheme, Target
from stress.planning.addresses import Resolution
from stress.planning.connection_options import authorized_again, read_proxy
from stress.planning.plan import plan_run
from stress.planning.request import Request

HOP = "http://hop.example.com:3128"
IPS = {"hop.example.com": ("10.0.0.8", "10.0.0.9"), "far.example.com": ("8.8.8.8",)}


async def resolve(target: Target, _: str | None, /) -> Resolution:
    """Knows the proxies, and no target: the proxy has to resolve those."""
    ips = (target.host,) if target.literal else IPS[target.host]
    return Resolution(tuple(Address(ip, target.port) for ip in ips), 60.0)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def planned(machine: Machine, **options: object) -> Plan:
    request = Request(targets=("app.example.com",), **options)  # type: ignore[arg-type]
    return plan_run(request, now=0, resolve=resolve, machine=machine)


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        (HOP, Proxy(ProxyScheme.HTTP, "hop.example.com", 3128, "")),
        ("HTTP://Hop.example.com:3128/", Proxy(ProxyScheme.HTTP, "hop.example.com", 3128, "")),
        ("socks5://[::1]:1080", Proxy(ProxyScheme.SOCKS5, "::1", 1080, "")),
        ("socks5h://127.0.0.1:1080", Proxy(ProxyScheme.SOCKS5, "127.0.0.1", 1080, "")),
    ],
)
def test_a_proxy_is_read(text: str, proxy: Proxy) -> None:
    assert read_proxy(text) == proxy
    assert read_proxy(str(proxy)) == proxy


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("http://jane:s3cret@hop:3128", "holds credentials", "--proxy-authorization FILE"),
        ("jane:s3cret@hop:3128", "holds credentials", VARIABLE),
        ("https://hop:3128", 'scheme "https" is not supported', "TLS to the proxy itself"),
        ("socks4://hop:1080", 'scheme "socks4" is not supported', 'Did you mean "socks5"?'),
        ("htp://hop:3128", 'scheme "htp"', 'Did you mean "http"?'),
        ("ftp:", "not the URL of a proxy", "http://HOST:PORT"),
        ("hop:3128", "not the URL of a proxy", "socks5://HOST:PORT"),
        ("http://hop", "has no port", "3128: --proxy http://hop:PORT"),
        ("socks5://hop", "has no port", "1080"),
        ("http://hop:0", "not a valid port", "1 to 65535"),
        ("http://hop:3128/path", "has a path", "HOST:PORT"),
        ("http://:3128", "has no host", ""),
        ("http://ho st:3128", "invalid characters", ""),
    ],
)
def test_what_is_no_proxy_is_refused_with_a_way_out(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_proxy(text)

    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_the_proxy_resolves_the_name(machine: Machine) -> None:
    plan = planned(machine, proxy=HOP)

    assert plan.addresses == (Address("app.example.com", 443),)
    assert plan.proxy == Proxy(ProxyScheme.HTTP, "hop.example.com", 3128, "10.0.0.8")
    assert plan.resolve_again_s is None
    assert any("2 addresses; all connections go to 10.0.0.8:3128" in one for one in plan.notes)


def test_given_addresses_are_asked_of_the_proxy(machine: Machine) -> None:
    plan = planned(machine, proxy=HOP, addresses_inline=("10.9.9.1", "[2001:db8::1]:8443=b"))

    assert [str(one) for one in plan.addresses] == ["10.9.9.1:443", "[2001:db8::1]:8443"]
    assert plan.proxy is not None
    assert plan.proxy.address == Address("10.0.0.8", 3128)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proxy": HOP}, "app.example.com, which only the proxy resolves, counts as public"),
        (
            {"proxy": "http://far.example.com:3128", "addresses_inline": ("10.9.9.1",)},
            r"the proxy far.example.com \(8.8.8.8\) is public",
        ),
        ({"proxy": HOP, "addresses_inline": ("8.8.4.4",)}, "app.example.com .8.8.4.4. is public"),
    ],
)
def test_both_target_and_proxy_need_consent(
    options: dict[str, object], message: str, machine: Machine
) -> None:
    with pytest.raises(UsageError, match=message):
        planned(machine, count="5000", **options)

    agreed = planned(machine, count="5000", authorized=True, **options)
    assert "through the proxy" in (agreed.authorized or "")


def test_private_ends_need_none(machine: Machine) -> None:
    plan = planned(machine, count="5000", proxy=HOP, addresses_inline=("10.9.9.1",))

    assert plan.authorized is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proxy": HOP, "proxy_protocol": "v1"}, "only the proxy knows the target"),
        (
            {"proxy": HOP, "proxy_protocol": "v2", "addresses_inline": ("::1",)},
            "one IPv4 and one IPv6",
        ),
        ({"proxy": HOP, "sources": ("::1",)}, "the proxy 10.0.0.8 cannot be reached from ::1"),
        ({"proxy_authorization": "file"}, "--proxy-authorization without --proxy"),
        ({"proxy": HOP, "proxy_authorization": "/nowhere/x"}, "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(
    options: dict[str, object], message: str, machine: Machine
) -> None:
    with pytest.raises(UsageError, match=message):
        planned(machine, **options)


def test_a_proxy_in_the_environment_is_named_and_not_used(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://jane:s3cret@hop.example.com:3128/")

    plan = planned(machine, addresses_inline=("10.9.9.1",))

    assert plan.proxy is None
    (hint,) = (one for one in plan.notes if "https_proxy" in one)
    assert "hop.example.com:3128" in hint
    assert "s3cret" not in hint
    assert "s3cret" not in repr(plan)


def test_credentials_are_read_where_they_are_and_not_planned(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("jane:s3cret\n")
    by_file = planned(machine, proxy=HOP, proxy_authorization=str(file))
    monkeypatch.setenv(VARIABLE, "jane:s3cret")
    by_variable = planned(machine, proxy=HOP)

    assert by_file.proxy_authorization == str(file)
    assert by_variable.proxy_authorization == IN_VARIABLE
    assert "s3cret" not in repr((by_file, by_variable))


@pytest.mark.parametrize(
    ("proxy", "value", "message"),
    [
        (HOP, "s3cret", "neither NAME:PASSWORD"),
        ("socks5://10.0.0.8:1080", "Bearer s3cret", "SOCKS 5 takes a name and a password"),
    ],
)
def test_unusable_credentials_are_refused_unsaid(
    proxy: str, value: str, message: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)

    with pytest.raises(UsageError, match=message) as caught:
        planned(machine, proxy=proxy)

    assert "s3cret" not in str(caught.value)


RECORDED = Plan(
    Target("app.example.com"),
    (Address("10.9.9.1", 443),),
    (),
    proxy=Proxy(ProxyScheme.HTTP, "hop.example.com", 3128, "10.0.0.8"),
)


def test_a_proxy_of_a_run_file_gets_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "jane:s3cret")

    assert authorized_again(RECORDED, Request()).proxy_authorization is None
    named = authorized_again(RECORDED, Request(proxy=HOP))
    assert named.proxy_authorization == IN_VARIABLE


@pytest.mark.parametrize(
    ("plan", "request_", "message"),
    [
        (replace(RECORDED, proxy_authorization="/etc/passwd"), Request(), "only a run file names"),
        (RECORDED, Request(proxy="http://other:3128"), "went through http://hop.example.com:3128"),
        (replace(RECORDED, proxy=None), Request(proxy=HOP), "went without a proxy"),
        (RECORDED, Request(proxy_authorization="x"), "without --proxy"),
    ],
)
def test_a_recorded_proxy_is_kept_or_refused(plan: Plan, request_: Request, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        authorized_again(plan, request_)
