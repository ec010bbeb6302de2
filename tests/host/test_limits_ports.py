from __future__ import annotations

from pathlib import Path

import pytest

from stress.host.limits import local_port_range, reported_port_range


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("32768\t60999\n", range(32_768, 61_000)),
        ("", None),
        ("garbage", None),
        ("1", None),
        ("one two", None),
        (None, None),
    ],
)
def test_the_port_range_is_read_where_the_kernel_reports_it(
    text: str | None, ports: range | None, tmp_path: Path
) -> None:
    file = tmp_path / "proc/sys/net/ipv4/ip_local_port_range"
    file.parent.mkdir(parents=True)
    if text is not None:
        file.write_text(text)

    assert reported_port_range(tmp_path) == ports


def test_this_machine_has_local_ports() -> None:
    ports = local_port_range()

    assert 1 <= ports[0] <= ports[-1] <= 65_535
