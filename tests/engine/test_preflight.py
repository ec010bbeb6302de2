from dataclasses import replace
from pathlib import Path

import pytest

import stress
from stress.engine.checks.run_validity import HostStats
from stress.engine.preflight import HostCapacity, examine, versions
from stress.host.limits import Machine
from stress.model.plan import Address, Stack
from tests.engine.conftest import plan_for
from tests.stacks import HAS_BORINGSSL, main_stack

ABLE = HostCapacity(
    Machine(cores=4, open_files=20_000, local_ports=28_232),
    HostStats(local_ports=28_232, waiting_ports=300, tracked=10, tracked_limit=262_144),
    memory_bytes=4_000_000_000,
    load=0.2,
    late_s=0.0004,
    kernel_stamps=True,
    programs={"utls": "1.0"},
)


def able(**stats: int) -> HostCapacity:
    return replace(ABLE, stats=replace(ABLE.stats, **stats))


def test_an_able_machine_is_told_its_limits() -> None:
    found = examine(ABLE)

    assert found.able
    assert found.limit == "about 6,000 handshakes a second, 79,488 in flight"
    assert [fact.name for fact in found.facts][-1] == "utls"


@pytest.mark.parametrize(
    ("host", "fact"),
    [
        (replace(ABLE, machine=Machine(4, 100, 28_232)), "open files"),
        (able(local_ports=500), "local ports"),
        (replace(ABLE, memory_bytes=1_000_000), "memory"),
        (able(tracked=262_000), "connection tracking"),
    ],
)
def test_what_is_too_little_for_a_default_run_blocks_it(host: HostCapacity, fact: str) -> None:
    found = examine(host)

    assert not found.able
    assert [each.name for each in found.facts if each.blocks] == [fact]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (ABLE, "the cores are free"),
        (replace(ABLE, load=7.0), "other programs take part of the cores"),
        (ABLE, "ok"),
        (replace(ABLE, late_s=0.03), "latencies would contain it"),
        (ABLE, "each for one target"),
        (able(waiting_ports=20_000), "wait a minute"),
    ],
)
def test_what_would_disturb_a_measurement_is_told_and_blocks_nothing(
    host: HostCapacity, words: str
) -> None:
    found = examine(host)

    assert found.able
    assert any(words in fact.means for fact in found.facts)


def test_the_scheduler_delay_is_measured() -> None:
    host = HostCapacity.here()

    assert host.late_s >= 0
    assert host.load is None or host.load >= 0


def test_what_nobody_tells_limits_nothing() -> None:
    silent = replace(
        ABLE,
        machine=Machine(4, None, 28_232),
        stats=HostStats(),
        memory_bytes=None,
        load=None,
        kernel_stamps=False,
    )

    found = examine(silent)

    assert found.able
    assert found.limit.endswith("no limit in flight")
    assert {"unlimited", "unknown", "none", "user space"} <= {fact.value for fact in found.facts}


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_system_is_read_where_it_tells(tmp_path: Path) -> None:
    write(tmp_path, "proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    write(tmp_path, "proc/net/sockstat", "sockets: used 19\nTCP: inuse 2 orphan 0 tw 4 alloc 2\n")
    write(tmp_path, "proc/meminfo", "MemTotal: 99 kB\nMemAvailable:    2000 kB\n")
    write(tmp_path, "proc/sys/net/netfilter/nf_conntrack_count", "7\n")
    write(tmp_path, "proc/sys/net/netfilter/nf_conntrack_max", "100\n")

    host = HostCapacity.here(tmp_path)

    assert host.stats.local_ports == 28_232
    assert host.stats.waiting_ports == 4
    assert host.memory_bytes == 2_048_000
    assert (host.stats.tracked, host.stats.tracked_limit) == (7, 100)
    assert host.machine.cores >= 1


@pytest.mark.parametrize(("limit", "memory"), [("1500000\n", 1_000_000), ("max\n", 2_048_000)])
def test_a_control_groups_limit_counts(limit: str, memory: int, tmp_path: Path) -> None:
    write(tmp_path, "proc/meminfo", "MemAvailable: 2000 kB\n")
    write(tmp_path, "sys/fs/cgroup/memory.max", limit)
    write(tmp_path, "sys/fs/cgroup/memory.current", "500000\n")

    assert HostCapacity.here(tmp_path).memory_bytes == memory


@pytest.mark.parametrize("text", ["", "garbage", "1", "one two"])
def test_odd_files_tell_nothing(text: str, tmp_path: Path) -> None:
    write(tmp_path, "proc/sys/net/ipv4/ip_local_port_range", text)
    write(tmp_path, "proc/net/sockstat", f"TCP: {text} tw")
    write(tmp_path, "proc/meminfo", text)

    host = HostCapacity.here(tmp_path)

    assert host.stats.local_ports is None
    assert host.stats.waiting_ports is None
    assert host.memory_bytes is None


def test_every_program_that_took_part_is_named_with_a_version() -> None:
    found = versions()

    assert found["tls-stress"] == stress.__version__
    assert {"python", "kernel", "pyOpenSSL", "cryptography", "trio"} <= set(found)
    assert ("utls" in found) == HAS_BORINGSSL
    assert all(found.values())


@pytest.mark.parametrize("stack", [main_stack(), Stack.OPENSSL])
def test_the_flags_of_the_tls_library_are_told_for_each_client(stack: Stack) -> None:
    """Nothing is judged in the handshake, and no default of a later library can change that."""
    plan = replace(plan_for(Address("127.0.0.1", 9), b""), stack=stack)
    flags = versions(plan)["tls-flags of generic"]

    assert flags.startswith(f"{stack} verify_mode=0 ")
    assert " options=0x" in flags
