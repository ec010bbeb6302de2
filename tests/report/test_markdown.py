from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stress.model.summary import Answer, Assertion, Summary
from stress.report.markdown import LONGEST_TABLE, MarkdownReport, code, text

GITHUB = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def rendered(words: str) -> str:
    """What a reader of GitHub's dialect makes of words that were escaped."""
    return str(GITHUB.renderInline(text(words)))


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "**bold** _and_ ~~gone~~ `code`",
        "[click](https://evil.test)",
        "![](https://evil.test/pixel)",
        "a | b",
        "# heading",
        "1. list",
        "- list",
        "&lt;b&gt;",
        "$x^2$",
    ],
)
def test_names_are_text_and_nothing_else(hostile: str) -> None:
    html = str(GITHUB.render(text(hostile)))

    assert html.count("<") == 2, html
    assert html.startswith("<p>")


@pytest.mark.parametrize(
    ("hostile", "absent"),
    [
        ("www.evil.test", "www.evil"),
        ("https://evil.test", "https://"),
        ("HTTP://evil.test", "HTTP://"),
        ("thanks to @octocat", "@octocat"),
        ("see #123", "#123"),
        ("\x1b[31mred\u202e", "\x1b"),
        ("two\nlines", "\n"),
    ],
)
def test_no_link_is_made_and_nobody_is_called(hostile: str, absent: str) -> None:
    assert absent not in text(hostile)


@given(st.text(st.characters()))
def test_any_name_comes_out_as_it_went_in(name: str) -> None:
    html = str(GITHUB.render(f"x {text(name)} y"))

    assert html.startswith("<p>x ")
    assert html.count("<") == 2


@pytest.mark.parametrize("words", ["plain", "```", "a ```` b", ""])
def test_a_command_stays_in_its_block(words: str) -> None:
    tokens = GITHUB.parse(code(words))

    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content == f"{words}\n"


def test_the_document_says_the_verdict_the_lines_and_the_causes(summary: Summary) -> None:
    document = MarkdownReport().render(summary)

    assert document.startswith("## ❌ failing: 98 of 20,000 handshakes (0.49%) received")
    assert "- **fix**: Append the intermediate" in document
    assert "```\ntls-stress run lab.test:8443 --ca lab.pem -n 20000\n```" in document
    assert "### 1. incomplete-chain (decisive)" in document
    assert "| incomplete-chain | 98 | 0.49% |" in document
    assert "<details><summary>Latency, ms</summary>" in document


@pytest.mark.parametrize(
    ("verdict", "sign"), [(Answer.CLEAN, "✅"), (Answer.INVALID, "⚠️"), (Answer.FAILING, "❌")]
)
def test_the_verdict_has_a_sign_and_a_word(summary: Summary, verdict: Answer, sign: str) -> None:
    document = MarkdownReport().render(replace(summary, verdict=verdict))

    assert document.startswith(f"## {sign} {verdict.value}: ")


def test_assertions_are_a_table(summary: Summary) -> None:
    assertions = (Assertion("p99.server<5ms", "unknown", None),)

    document = MarkdownReport().render(replace(summary, assertions=assertions))

    assert "| unknown | - | p99.server\\<5ms |" in document


def test_a_long_table_is_cut_and_counted(summary: Summary) -> None:
    document = MarkdownReport().render(replace(summary, addresses=summary.addresses * 50))

    assert document.count("| edge 127.0.0.1:8443 |") == LONGEST_TABLE
    assert "and 30 more" in document
