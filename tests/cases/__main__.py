"""`python -m tests.cases [NAME…]`: asks every case, checks the answers, writes docs/casebook.md.

With names only these are asked, and the others keep their place in the page; so does what a case
said before, where its answer is not right. Exits 1 then.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from time import monotonic

import stress
from stress.text.escape import shell_line
from tests.cases.case import REPOSITORY, Asked, Case, ask, needed, read_cases
from tests.cases.check import differences, likely_lists

BOOK = REPOSITORY / "docs" / "casebook.md"
_ENTRY = re.compile(r"^<!-- case (\S+) -->$.*?(?=^<!-- case |^## |\Z)", re.DOTALL | re.MULTILINE)
_HEAD = """\
# Casebook

Find the situation that is yours: what people lived through, what `tls-stress` says of it, and how
that is known to be right. Each case was played with real servers. The answers are recorded as they
were printed, up to the fix; only the directories in commands are left out. Where an answer says
that this machine could not keep up, other programs took its time: the verdict is then withheld, as
it should be.

`make cases` plays and checks all of them again and writes this page from the table in
`tests/cases/cases.toml`. To see a lab scenario yourself: `tls-stress demo NAME`. Recorded on {day}
with tls-stress {version}.
"""


def main(names: Sequence[str]) -> int:
    """Ask, check, write; the exit code."""
    cases = read_cases()
    unknown = [name for name in names if name not in cases]
    if unknown:
        sys.stderr.write(f"no such case: {', '.join(unknown)}\n")
        return 2
    entries = recorded(BOOK.read_text()) if BOOK.exists() else {}
    right = 0
    for name in names or cases:
        case, begun = cases[name], monotonic()
        lacking = [program for program in needed(case) if shutil.which(program) is None]
        if lacking:
            sys.stdout.write(f"not played: {name} needs {', '.join(lacking)}\n")
            continue
        asked = ask(case)
        wrong = list(differences(case, asked))
        if not wrong:
            entries[name] = entry(name, case, asked)
            right += 1
        result = "WRONG" if wrong else "right"
        sys.stdout.write(f"{result}  {name} ({monotonic() - begun:.0f} s)\n")
        sys.stdout.writelines(f"       {sentence}\n" for sentence in wrong)
        sys.stdout.flush()
        BOOK.write_text(book(cases, entries))
    sys.stdout.write(f"{right} of {len(names or cases)} cases are right\n")
    return int(right < len(names or cases))


def recorded(page: str) -> dict[str, str]:
    """The text of each case that a page holds."""
    return {found[1]: f"{found[0].rstrip()}\n" for found in _ENTRY.finditer(page)}


def book(cases: Mapping[str, Case], entries: Mapping[str, str]) -> str:
    """The whole page."""
    head = _HEAD.format(day=f"{datetime.now(UTC):%Y-%m-%d}", version=stress.__version__)
    contents, bodies = [head], list[str]()
    for chapter, names in groupby(cases, key=lambda name: cases[name].chapter):
        contents.append(f"**{chapter}**\n")
        bodies.append(f"## {chapter}\n")
        for name in names:
            contents.append(f"- [{cases[name].title}](#{anchor(cases[name].title)})")
            bodies.append(entries.get(name, ""))
        contents.append("")
    return "\n".join([*contents, *bodies])


def entry(name: str, case: Case, asked: Asked) -> str:
    """One case."""
    likely = "".join(
        f"- `{one['id']}`: {one['text']}.{' ' + one['fix'] if one['fix'] else ''}\n"
        for one in likely_lists(asked.summary)[0]
    )
    seen = f" [Seen here]({case.source})." if case.source else ""
    return f"""\
<!-- case {name} -->

### {case.title}

{case.situation}{seen}

*Farm:* {described(case)}

```
$ {command(asked)}
{answer(asked)}
```

{f"Likely, the most likely first:{chr(10)}{chr(10)}{likely}{chr(10)}" if likely else ""}\
*How it is known:* {case.known}
"""


def anchor(title: str) -> str:
    """The anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def described(case: Case) -> str:
    """The farm in words."""
    if case.scenario:
        return f"lab scenario `{case.scenario}`."
    parts = []
    for node in case.nodes:
        words = (node.listen, node.extra.replace("\n ", ";"), node.behind)
        more = ", ".join(f"`{each}`" for each in words if each)
        certificate = f" with certificate `{node.certificate}`" if node.certificate else ""
        what = "nothing" if node.server == "nobody" else node.server
        parts.append(f"{node.number} {what}{certificate}{f' ({more})' if more else ''}")
    behind = ", behind a HAProxy that deals connections in turn" if case.balancer else ""
    return f"{'; '.join(parts)}{behind}."


def command(asked: Asked) -> str:
    """The command, with the folder of the farm left out."""
    return shell_line(
        [word.rpartition("/")[2] if word.startswith("/") else word for word in asked.command]
    )


def answer(asked: Asked) -> str:
    """The first of the ten lines: up to the fix, or for a clean run all that is said of it."""
    lines = asked.report.partition("\n\n")[0].splitlines()
    return "\n".join(lines[: next(n for n, line in enumerate(lines) if line.startswith("prove"))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
