from __future__ import annotations

from pathlib import Path

import pytest

from stress.engine.checks.run_validity import HostStats, increase

NETSTAT = """\
TcpExt: SyncookiesSent PruneCalled ListenOverflows TCPRcvQDrop
TcpExt: 0 2 7 3
IpExt: InNoRoutes
IpExt: 0
"""


def test_the_counters_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/netstat").write_text(NETSTAT)
    (tmp_path / "proc/net/softnet_stat").write_text("000a 00000010 0\n000b 00000001 0\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal: 2 kB\nMemAvailable: 1 kB\n")

    stats = HostStats.here(tmp_path)

    assert stats == HostStats(receive_drops=2 + 3 + 17, free_bytes=1024)


def test_ports_and_the_table_of_connections_are_read(tmp_path: Path) -> None:
    for name, text in {
        "net/sockstat": "sockets: used 9\nTCP: inuse 5 orphan 0 tw 20000 alloc 7 mem 3\n",
        "sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "sys/net/netfilter/nf_conntrack_count": "960\n",
        "sys/net/netfilter/nf_conntrack_max": "1000\n",
        "net/stat/nf_conntrack": "entries drop early_drop\n0a 0000000f 1\n0a 1 0\n",
    }.items():
        (tmp_path / "proc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc" / name).write_text(text)

    assert HostStats.here(tmp_path) == HostStats(
        tracked=960, tracked_limit=1_000, untracked=17, waiting_ports=20_000, local_ports=28_232
    )


@pytest.mark.parametrize("text", [None, "", "TcpExt:\n", "TcpExt: A\nTcpExt: x\n", "zz zz\n"])
def test_a_kernel_that_reports_nothing_is_no_error(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    if text is not None:
        for name in ("net/netstat", "net/softnet_stat", "meminfo", "net/sockstat"):
            (tmp_path / "proc" / name).write_text(text)

    assert HostStats.here(tmp_path) == HostStats()


@pytest.mark.parametrize(
    ("before", "after", "grown"), [(1, 5, 4), (5, 1, 0), (None, 5, 0), (5, None, 0)]
)
def test_a_counter_only_grows(before: int | None, after: int | None, grown: int) -> None:
    assert increase(before, after) == grown
