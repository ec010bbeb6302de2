from typing import Any


def test_options_stand_under_their_panels_in_order_with_plain_text(ask: Any) -> None:
    lines = ask("run", "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]

    assert headings == [
        "Arguments:",
        "Load:",
        "Asking:",
        "Judging:",
        "Ending:",
        "Consent:",
        "Output:",
        "Options:",
    ]


def test_each_option_stands_under_its_heading_and_defaults_are_shown(ask: Any) -> None:
    out = ask("run", "--help").out

    assert out.index("Judging:") < out.index("--ca FILE") < out.index("Consent:")
    assert "[default: 64]" in out
    assert "<list[str]>" not in out
