"""Records that attack whoever reads them, by name: good ones with something hostile in them."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e<script>alert(1)</script>=cmd|' /C calc'!A0\r"
ROWS = 600


def rows(extra: str = "", header: str = "time,carrier,error") -> str:
    """Carrier c2 fails each seventh time."""
    lines = [
        f"{1_796_000_000 + n},c{n % 5}{extra},{'x' if n % 5 == 2 and n % 7 == 0 else ''}"
        for n in range(ROWS)
    ]
    return "\n".join([header, *lines]) + "\n"


def records() -> Mapping[str, bytes]:
    """File contents by name."""
    chance = random.Random(5)
    wide = ",".join(f"c{n}" for n in range(50_000))
    keys = "\n".join(json.dumps({f"k{n}_{m}": m for m in range(50)}) for n in range(2_000))
    good = {
        "good": rows(),
        "escapes-in-values": rows(ESCAPES.replace(",", "").replace("\r", "")),
        "escapes-in-names": rows(header=f"time,{ESCAPES.strip()},error"),
        "braces-in-names": rows(header="time,{0.__class__}{},error"),
        "our-names": rows(header="time,stage,error"),
        "many-columns": f"{wide},error\n" + ("1," * 50_000 + "\n") * 20,
        "empty-names": rows(header=",,error"),
        "quotes": 'time,carrier,error\n"' + rows(),
        "only-quotes": '"' * 100_000,
        "only-delimiters": "," * 900_000 + "\n" + "," * 900_000,
        "a-long-line": "x" * 20_000_000,
        "long-lines": ("y" * 9_000_000 + "\n") * 3,
        "long-values": "time,carrier,error\n" + f"1,{'z' * 90_000},x\n2,b,\n" * 40,
        "many-values": "carrier,error\n" + "".join(f"{n},{n % 9 or ''}\n" for n in range(150_000)),
        "many-errors": "error,x\n" + "".join(f"{n if n % 3 else ''},y\n" for n in range(30_000)),
        "huge-numbers": "error,x\n" + "".join(f"{n}e{n},1e999\n,-1e999\n" for n in range(500)),
        "wild-times": "time,error\n" + "9" * 400 + ",x\n99999999999999999999,x\n-1,\n0,\n",
        "no-newline": rows()[:-1],
        "old-newlines": rows().replace("\n", "\r"),
        "json": "\n".join(json.dumps({"a": n % 5, "error": n % 7 == 0}) for n in range(ROWS)),
        "json-deep": '{"a":' * 5_000 + "1" + "}" * 5_000,
        "json-array-deep": '{"a":' + "[" * 5_000 + "]" * 5_000 + "}",
        "json-many-keys": keys,
        "json-escapes": "\n".join(
            json.dumps({ESCAPES: ESCAPES + str(n % 5), "error": n % 7 == 0}) for n in range(ROWS)
        ),
        "json-surrogates": '{"a": "\\ud800", "error": 1}\n{"a": "\\udfff", "error": 0}\n' * 50,
        "json-array": "[" + "1," * 1_000 + "1]",
    }
    raw = {
        "empty": b"",
        "blank": b"\n \n\t\n",
        "nul": b"a,error\n\0,x\n",
        "noise": bytes(chance.randrange(1, 256) for _ in range(100_000)),
        "latin-1": rows("é").encode("latin-1"),
        "utf-16": rows().encode("utf-16"),
        "half-utf-16": rows().encode("utf-16")[:1_001],
        "bomb": gzip.compress(bytes(50_000_000)),
        "parquet-head": b"PAR1" + bytes(1_000),
        "parquet-ends": b"PAR1" + b"\xff" * 1_000 + b"\xff\xff\xff\x7fPAR1",
    }
    return {name: text.encode() for name, text in good.items()} | raw
