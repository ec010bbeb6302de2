"""Hostile load profiles and client profiles: what a stranger's TOML may try."""

from __future__ import annotations

from pathlib import Path


def profiles(folder: Path) -> dict[str, bytes]:
    """Every profile by name.

    Args:
        folder: holds `victim.txt`, which no profile may change, and lies beside `outside/`.
    """
    outside = folder.parent / "outside"
    texts = {
        "overwrites-markdown": 'markdown = "victim.txt"',
        "overwrites-html": 'html = "victim.txt"',
        "overwrites-junit": 'junit = "victim.txt"',
        "overwrites-openmetrics": 'openmetrics = "victim.txt"',
        "writes-above": 'html = "../outside/page.html"',
        "writes-absolute": f'markdown = "{outside}/summary.md"',
        "writes-through-link": 'junit = "link/tests.xml"',
        "results-above": 'results = "../outside"',
        "results-absolute": f'results = "{outside}"',
        "name-above": 'name = "../../outside/run"',
        "name-absolute": f'name = "{outside}/run"',
        "reads-addresses": 'addresses = "/etc/passwd"',
        "reads-ca": 'ca = "/etc/passwd"',
        "reads-key": 'cert = "/etc/passwd"\nkey = "/etc/shadow"',
        "reads-pipe": 'addresses = "pipe"',
        "reads-device": 'ca = "/dev/zero"',
        "writes-to-pipe": 'html = "pipe"',
        "writes-to-folder": 'html = "."',
        "writes-to-linked-file": 'markdown = "linked.md"',
        "writes-over-itself": 'markdown = "p.toml"',
        "writes-with-zero": 'junit = "a\\u0000b"',
        "writes-to-device": 'openmetrics = "/dev/full"',
        "results-in-file": 'results = "victim.txt"',
        "results-through-link": 'results = "link/runs"',
        "chooses-the-resolver": 'resolver = "192.0.2.53"',
        "reads-above": 'addresses = "../outside/nodes.txt"',
        "reads-process": 'ca = "/proc/self/environ"',
        "reads-folder": 'ca = "."',
        "reads-client-pipe": 'client = "pipe.toml"',
        "reads-large": 'ca = "large"',
        "metrics-port-zero": 'metrics = "0.0.0.0:0"',
        "metrics-everywhere": 'metrics = "0.0.0.0:9100"',
        "metrics-everywhere-6": 'metrics = "[::]:9100"',
        "metrics-mapped": 'metrics = "[::ffff:0.0.0.0]:9100"',
        "deep-array": "x = " + "[" * 100_000,
        "deep-array-closed": "x = " + "[" * 100_000 + "]" * 100_000,
        "deep-inline-table": "x = " + "{a=" * 50_000,
        "dotted-key": "a." * 100_000 + "b = 1",
        "many-dotted-keys": "\n".join(f"a{'.b' * (n % 50)}{n} = 1" for n in range(20_000)),
        "dotted-header": "[" + "a." * 100_000 + "b]",
        "many-tables": "\n".join(f"[[segments]]\nrate = {n}" for n in range(1, 50_000)),
        "huge-integer": "count = " + "9" * 100_000,
        "huge-float": "count = 1e999999",
        "huge-hexadecimal": "count = 0x" + "f" * 100_000,
        "long-text": 'name = "' + "x" * 5_000_000 + '"',
        "escapes": 'titel\\u001b = "x"',
        "escape-in-key": '"\\u001b]0;x\\u0007\\u202e" = 1',
        "escape-in-value": 'stack = "\\u001b[2J\\u202e"',
        "many-clients": "client = [" + '"go", ' * 100_000 + "]",
        "many-goals": "until = [" + '"failing<1%", ' * 50_000 + "]",
        "goal-of-length": 'until = ["' + "(" * 100_000 + '"]',
        "duration-of-length": 'duration = "' + "1h" * 50_000 + '"',
        "date-bomb": "at = " + "9" * 20_000 + "-01-01",
        "quotes": "x = " + '"""' * 50_000,
        "comments": "#" * 5_000_000,
    }
    made = {name: text.encode() for name, text in texts.items()}
    made |= {
        "no-utf-8": b"count = 1\n\xff\xfe\x00",
        "zeros": bytes(1_000_000),
        "noise": bytes(range(256)) * 4000,
        "byte-order-mark": b"\xef\xbb\xbfcount = 1",
    }
    return made
