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

lines = [line.rstrip("\n").split("\t") for line in sys.stdin]
"""Host, port and file of roots."""


def store(folder: Path) -> None:
    """A certificate store of NSS in which the roots of every chain are trusted."""
    folder.mkdir(parents=True, exist_ok=True)
    where = f"sql:{folder}"
    subprocess.run(["certutil", "-N", "-d", where, "--empty-password"], check=True)
    for number, (_, _, roots) in enumerate(lines):
        pem = Path(roots).read_text("ascii")
        for place, one in enumerate(
            re.findall(r"-----BEGIN.*?END CERTIFICATE-----\n", pem, re.DOTALL)
        ):
            # A certificate that NSS cannot read stays out.
            subprocess.run(
                ["certutil", "-A", "-d", where, "-n", f"{number}-{place}", "-t", "C,,", "-a"],
                input=one,
                capture_output=True,
                check=False,
                text=True,
            )


def environment(home: Path) -> Mapping[str, str]:
    """For the browser alone: its home, and the moment of judgement where one is set."""
    own = {**os.environ, "HOME": str(home), "TZ": "UTC"}
    if "CLOCK" in own:
        own["LD_PRELOAD"] = own["CLOCK"]
    return own


def address(host: str, port: str) -> str:
    """The page of one chain."""
    return f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/"
