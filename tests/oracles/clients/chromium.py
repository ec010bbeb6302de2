"""Chromium as a client of a real server.

    python -m tests.oracles.clients.chromium PORT     (of the proxy)

Standard input: host, port and file of roots between tabs; it answers each line with the code of
the error, or `ok`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from select import select
from typing import Any

from tests.oracles.clients.browsing import address, environment, lines, store

_LONGEST = 120.0
"""Seconds that one page may take, on a machine with other work."""


class Browser:
    """One that is spoken to through pipes (the DevTools protocol)."""

    def __init__(self, home: Path) -> None:
        reads, self._writes = os.pipe()
        self._reads, writes = os.pipe()
        # It reads from descriptor 3 and writes to 4.
        shell = f'exec chromium "$@" 3<&{reads} 4>&{writes}'
        self.process = subprocess.Popen(
            [
                *("sh", "-c", shell, "chromium", "--headless", "--no-sandbox", "--disable-gpu"),
                *(f"--user-data-dir={home}/profile", "--remote-debugging-pipe", "--no-first-run"),
                *(f"--proxy-server=127.0.0.1:{sys.argv[1]}", "--disable-background-networking"),
                "--disable-component-update",
            ],
            env=environment(home),
            pass_fds=(reads, writes),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._pending = b""
        self._asked = 0

    def call(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """The result of a command."""
        self._ask(method, session, parameters)
        while "id" not in (answer := self._answer()) or answer["id"] < self._asked:
            pass
        return dict(answer.get("result") or answer)

    def navigate(self, session: str, url: str) -> str:
        """The error of a page, or `ok`; its page of errors comes up to three seconds later."""
        self._ask("Page.navigate", session, {"url": url})
        request = ""
        while True:
            answer = self._answer()
            told = answer.get("params") or answer.get("result") or answer
            if answer.get("method") == "Network.requestWillBeSent" and told["documentURL"] == url:
                request = told["requestId"]
            failed = answer.get("method") == "Network.loadingFailed"
            if answer.get("id") == self._asked or (failed and told["requestId"] == request):
                return str(told.get("errorText", "ok")).removeprefix("net::")

    def _ask(self, method: str, session: str, parameters: dict[str, object]) -> None:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._writes, json.dumps(message).encode() + b"\0")

    def _answer(self) -> dict[str, Any]:
        """An answer or an event."""
        while b"\0" not in self._pending:
            if not select([self._reads], [], [], _LONGEST)[0]:
                return {"id": self._asked, "errorText": "no answer"}
            more = os.read(self._reads, 65536)
            if not more:
                raise EOFError("Chromium has ended")
            self._pending += more
        told, _, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(told))


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    store(Path(folder, ".pki/nssdb"))
    browser = Browser(Path(folder))
    try:
        print(browser.call("Browser.getVersion")["product"], flush=True)  # noqa: T201
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        own = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.call("Network.enable", own)
        for host, port, _ in lines:
            print(browser.navigate(own, address(host, port)), flush=True)  # noqa: T201
        browser.call("Browser.close")
    finally:
        browser.process.terminate()
        browser.process.wait()
