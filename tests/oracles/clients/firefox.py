"""Firefox as a client of a real server.

    python -m tests.oracles.clients.firefox PORT     (of the proxy)

Standard input: host, port and file of roots between tabs; it answers each line with the code of
the error, or `ok`.
"""

import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.oracles.clients.browsing import address, environment, lines, store

_PREFERENCES = f"""\
user_pref("marionette.port", 0);
user_pref("network.proxy.type", 1);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", {sys.argv[1]});
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
user_pref("browser.startup.page", 0);
"""

# A request of the browser itself: its error is the one of the page that the user sees.
_ASK = """
const [url, done] = arguments;
const channel = Services.io.newChannel(url, null, null, null,
  Services.scriptSecurityManager.getSystemPrincipal(), null,
  Ci.nsILoadInfo.SEC_ALLOW_CROSS_ORIGIN_SEC_CONTEXT_IS_NULL, Ci.nsIContentPolicy.TYPE_OTHER);
channel.asyncOpen({
  QueryInterface: ChromeUtils.generateQI(["nsIRequestObserver", "nsIStreamListener"]),
  onStartRequest() {},
  onDataAvailable(request, stream, offset, count) {},
  onStopRequest(request, status) {
    const info = channel.securityInfo;
    done([status, info ? info.errorCodeString : "", info ? info.errorCode : 0]);
  },
});
"""


class Browser:
    """One that is spoken to through Marionette."""

    def __init__(self, home: Path) -> None:
        profile = home / "profile"
        store(profile)
        (profile / "user.js").write_text(_PREFERENCES, "ascii")
        self.process = subprocess.Popen(
            [
                *("firefox-esr", "--headless", "--no-remote", "--marionette"),
                *("--remote-allow-system-access", "--profile", str(profile), "about:blank"),
            ],
            env=environment(home),
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        told = (re.search(r"Listening on port (\d+)", line) for line in self.process.stdout)
        listening = next(filter(None, told), None)
        if listening is None:
            raise EOFError("Firefox has ended")
        # What else it prints has to be read, or it would wait.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self._socket = socket.create_connection(("127.0.0.1", int(listening[1])), 300)
        self._reads = self._socket.makefile("rb")
        self._answer()
        self._asked = 0

    def _answer(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            octet = self._reads.read(1)
            if not octet:
                raise EOFError("Firefox has ended")
            length += octet
        return json.loads(self._reads.read(int(length[:-1])))

    def call(self, method: str, **parameters: object) -> Any:
        """The result of a command."""
        self._asked += 1
        message = json.dumps([0, self._asked, method, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._answer()
        return error or result


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    browser = Browser(Path(folder))
    try:
        opened = browser.call("WebDriver:NewSession", capabilities={})["capabilities"]
        print(f"Firefox {opened['browserVersion']}", flush=True)  # noqa: T201
        browser.call("Marionette:SetContext", value="chrome")
        for host, port, _ in lines:
            asked = [address(host, port)]
            found = browser.call("WebDriver:ExecuteAsyncScript", script=_ASK, args=asked)
            status, name, code = found.get("value") or (1, str(found), 0)
            said = "ok" if not status else name or f"status {status:#x}, code {code}"
            print(said.replace("\n", " "), flush=True)  # noqa: T201
    finally:
        browser.process.kill()
        browser.process.wait()
