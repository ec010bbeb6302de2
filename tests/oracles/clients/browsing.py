"""What both browsers need: a home with the roots of all chains, and an environment.

A browser starts once for all chains: each chain has names of its own (`making.marked`), so that
nothing that a browser learnt from one can matter to another. It reaches the chains through the
server's proxy and nothing else: whatever else it asks for is refused there.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from ssl import PEM_cert_to_DER_cert

lines = [line.rstrip("\n").split("\t") for line in sys.stdin]
"""Host, port and file of roots."""
_LOT = 10
"""Roots that one process takes in: its start costs more than one root."""


def store(folder: Path) -> None:
    """A certificate store of NSS in which the roots of every chain are trusted."""
    folder.mkdir(parents=True, exist_ok=True)
    where = f"sql:{folder}"
    subprocess.run(["certutil", "-N", "-d", where, "--empty-password"], check=True)
    commands = []
    for number, (_, _, roots) in enumerate(lines):
        pem = Path(roots).read_text("ascii")
        for place, one in enumerate(
            re.findall(r"-----BEGIN.*?END CERTIFICATE-----\n", pem, re.DOTALL)
        ):
            root = folder / f"{number}-{place}.der"
            root.write_bytes(PEM_cert_to_DER_cert(one))
            commands.append(f"-A -d {where} -n {number}-{place} -t C,, -i {root}\n")
    lots = (commands[at : at + _LOT] for at in range(0, len(commands), _LOT))
    for some in lots:
        # It stops at a certificate that NSS cannot read, which stays out: the others one by one.
        for again in [some, *([one] for one in some)]:
            (folder / "commands").write_text("".join(again), "ascii")
            batch = ["certutil", "-B", "-d", where, "-i", str(folder / "commands")]
            done = subprocess.run(batch, capture_output=True, check=False)
            if again is some and not done.returncode:
                break


def environment(home: Path) -> Mapping[str, str]:
    """For the browser alone: its home, and the moment of judgement where one is set."""
    own = {**os.environ, "HOME": str(home), "TZ": "UTC"}
    if "CLOCK" in own:
        own["LD_PRELOAD"] = own["CLOCK"]
    return own


def address(host: str, port: str) -> str:
    """The page of one chain."""
    return f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/"
