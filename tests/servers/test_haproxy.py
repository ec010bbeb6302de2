"""The real HAProxy is a witness: its log has one line for each connection, with the node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.servers.haproxy import Haproxy
from tests.servers.nginx import Nginx

pytestmark = [pytest.mark.real("haproxy", "nginx"), pytest.mark.slow]


def test_balancer_and_nodes_count_the_same_connections(
    twelve_nodes: tuple[Nginx, Haproxy], handshake: Callable[[int], str]
) -> None:
    nginx, haproxy = twelve_nodes
    seen = Counter(handshake(haproxy.port) for _ in range(300))

    served = haproxy.served(300)
    assert sum(served.values()) == 300
    assert seen == {
        "TLSv1.3": 300 - served["node-12"],
        "CERTIFICATE_VERIFY_FAILED": served["node-12"],
    }
    # The balancer's own log holds our first knock too, so the nodes saw one connection more.
    assert sum(nginx.connections_once(301).values()) == 301
