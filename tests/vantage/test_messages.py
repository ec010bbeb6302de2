from __future__ import annotations

from stress.model.plan import Address, Client, Plan, Target
from stress.model.run import Progress, Vantage, VantageProgress
from stress.vantage import messages
from stress.vantage.messages import encode, from_part, to_part


def test_a_message_arrives_as_it_was_sent() -> None:
    plan = Plan(Target("a.test", 443), (Address("192.0.2.1", 443),), (Client("c"),))
    vantage = Vantage("fra", "host", 1, ("192.0.2.9",), {"python": "3"}, ("192.0.2.1",), -5, 2)
    inner = Progress(1.0, 9, None, 2, 1, 0, 0, 0, 1, 1, 3.0, 0)
    outer = Progress(1.0, 9, None, 2, 1, 0, 0, 0, 1, 1, 3.0, 0, 0.0, (VantageProgress("a", inner),))

    for told in (
        messages.Assign(plan, vantage, "n", records=True, rows_home=False, secrets_home=True),
        messages.Stop(),
        messages.Go(1),
    ):
        assert to_part.decode(encode(told)) == told
    for said in (messages.News(outer, []), messages.Ended(9, b"x"), messages.Refused("no", None)):
        assert from_part.decode(encode(said)) == said
