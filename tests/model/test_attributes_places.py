import pytest

from stress.model.attributes import place
from stress.model.summary import Comparator, Condition


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        (
            [Condition("address", "10.0.3.7:443"), Condition("tls_version", "TLS 1.2")],
            "at 10.0.3.7:443 with TLS 1.2",
        ),
        ([Condition("family", "ipv6")], "over IPv6"),
        ([Condition("sni", "none")], "without SNI"),
        ([Condition("sni", "lab.test")], "with SNI lab.test"),
        ([Condition("resumed", "yes")], "when a session is resumed"),
        (
            [Condition("time", ("10:31:07", "10:31:17"), Comparator.BETWEEN)],
            "between 10:31:07 and 10:31:17",
        ),
        ([Condition("time", "from 10:31:07")], "from 10:31:07 on"),
        ([Condition("client", "chrome", Comparator.IS_NOT)], "not with client chrome"),
        ([Condition("stage", "x")], "stage = x"),
    ],
)
def test_conditions_are_plain_phrases(conditions: list[Condition], text: str) -> None:
    assert place(conditions) == text
