"""What a site makes, it takes away again."""

from __future__ import annotations

import socket
import stat
import sys
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from stress.errors import LabError
from stress.lab.blueprint import Front
from stress.lab.site import Site


def test_a_written_chain_holds_what_is_sent_in_order_and_then_the_key(site: Site) -> None:
    shown = site.shown("good.pem")
    text = Path(shown.file).read_bytes()
    held = x509.load_pem_x509_certificates(text)

    assert held == list(site.leaf.full)
    assert text.rstrip().endswith(b"PRIVATE KEY-----")
    assert shown.expires == held[0].not_valid_after_utc
    assert (
        shown.sha256 == sha256(b"".join(one.public_bytes(Encoding.DER) for one in held)).hexdigest()
    )


def test_files_are_for_their_owner_only_and_gone_at_the_end(tmp_path: Path, now: datetime) -> None:
    site = Site(tmp_path, now, seed=0)
    site.shown("good.pem")
    stranger = tmp_path / "notes.txt"
    stranger.write_text("mine")
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("*.pem")}
    site.clear()

    assert modes == {0o600}
    assert list(tmp_path.iterdir()) == [stranger]


def test_a_front_listens_from_the_start(site: Site) -> None:
    front = site.front()
    with socket.create_connection((front.ip, front.port)):
        pass
    site.close_sockets()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((front.ip, front.port))


def test_several_fronts_are_several_addresses(site: Site) -> None:
    addresses = {site.front(Front(f"127.0.0.{index}")).address for index in range(1, 5)}

    assert len(addresses) == 4
    assert all(one.ip.startswith("127.0.0.") for one in addresses)


def test_twins_share_a_port(site: Site) -> None:
    first, second = site.twins()

    assert (first.ip, first.port) == (second.ip, second.port)
    assert (first.descriptor != second.descriptor) is (sys.platform == "linux")


def test_an_address_that_is_not_ours_is_a_lab_error(site: Site) -> None:
    with pytest.raises(LabError, match=r"cannot listen on 192\.0\.2\.1"):
        site.front(Front("192.0.2.1"))


def test_a_folder_that_takes_no_file_is_a_lab_error(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(LabError, match="cannot write"):
        Site(tmp_path / "missing", now, seed=0)
