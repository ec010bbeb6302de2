"""Writes the example of docs/how-to/your-own-telemetry.md: an app's telemetry with one bad server.

    python -m scripts.telemetry

One of eight servers sends its certificate without the intermediate. iOS fetches what is missing,
Android does not, so its app fails there; timeouts come from everywhere. Always the same rows.
"""

# ruff: noqa: INP001, S311 - a script is not a package, and its rows are no secret

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

FILE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "telemetry.csv"
ROWS = 2_000
BEGUN = datetime(2026, 11, 2, 6, tzinfo=UTC)
BAD = "203.0.113.14"
FAILING = 0.8
"""Of the Android requests there: the others have the intermediate cached."""
TIMEOUTS = 0.002
COLUMNS = (
    *("time", "platform", "os_version", "app_version", "carrier", "region", "server_ip"),
    *("request_id", "duration_ms", "error"),
)


def rows() -> Iterator[tuple[object, ...]]:
    """The rows, in the order of their times."""
    random, at = Random(16), BEGUN
    for _ in range(ROWS):
        at += timedelta(seconds=random.expovariate(0.2))
        platform = random.choice(("android", "android", "ios"))
        server = f"203.0.113.{random.randint(11, 18)}"
        error, took_ms = "", random.lognormvariate(4.8, 0.5)
        if server == BAD and platform == "android" and random.random() < FAILING:
            error, took_ms = "CERTIFICATE_VERIFY_FAILED", random.lognormvariate(4.4, 0.3)
        elif random.random() < TIMEOUTS:
            error, took_ms = "timeout", 10_000.0
        yield (
            at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            platform,
            random.choice(("14", "15", "16") if platform == "android" else ("17", "18", "26")),
            random.choice(("5.2.0", "5.2.1", "5.3.0")),
            random.choice(("north", "south", "east", "wifi", "")),
            random.choice(("de", "fr", "it", "nl")),
            server,
            f"{random.getrandbits(48):012x}",
            f"{took_ms:.0f}",
            error,
        )


def text() -> str:
    """The whole file."""
    lines = [",".join(COLUMNS), *(",".join(map(str, row)) for row in rows())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
