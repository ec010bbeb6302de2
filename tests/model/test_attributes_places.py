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
        ([Condition("client", "chrome", Comparator.IS_NOT)], "with every client except chrome"),
        (
            [
                Condition("address", "10.0.3.6:443", Comparator.IS_NOT),
                Condition("address", "10.0.3.7:443", Comparator.IS_NOT),
                Condition("client", "chrome"),
            ],
            "at every address except 10.0.3.6:443 and 10.0.3.7:443 with client chrome",
        ),
        ([Condition("family", "ipv6", Comparator.IS_NOT)], "family is not ipv6"),
        (
            [Condition("time", "until 14:14:10, 14:15:51–14:17:56, from 14:20:00")],  # noqa: RUF001
            "until 14:14:10, between 14:15:51 and 14:17:56 and from 14:20:00 on",
        ),
        (
            [Condition("time", "10:31:07–10:31:17, 10:32:07–10:32:17 and 1 more")],  # noqa: RUF001
            "between 10:31:07 and 10:31:17, between 10:32:07 and 10:32:17 and in 1 more stretch",
        ),
        (
            [Condition("time", "10:31:07–10:31:17, 10:32:07–10:32:17 and 3 more")],  # noqa: RUF001
            "between 10:31:07 and 10:31:17, between 10:32:07 and 10:32:17 and in 3 more stretches",
        ),
        (
            [Condition("local_port", ("40000", "41999"), Comparator.BETWEEN)],
            "from local ports between 40000 and 41999",
        ),
        ([Condition("stage", "x")], "stage = x"),
    ],
)
def test_conditions_are_plain_phrases(conditions: list[Condition], text: str) -> None:
    assert place(conditions) == text
