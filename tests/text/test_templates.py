from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from stress.text.escape import escape
from stress.text.templates import markup, read_part, template

HEAD = """\
# {{ name }}
{{ part }}
{% if many %}
{{ many|plural("page") }}, {{ name|code }}
{% endif %}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / f"templates_{tmp_path.name}".replace("-", "_")
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "head.jinja").write_text(HEAD)
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_what_a_stranger_wrote_is_made_harmless_and_what_we_wrote_stays(package: str) -> None:
    page = template(package, "head.jinja", escape, code=lambda text: f"`{len(text)}`")

    shown = page.render(name="<b>\x1b[2J", part=markup("\x1b"), many=2_000)

    assert shown == "# <b>\\x1b[2J\n\x1b\n2,000 pages, `7`\n"


def test_a_name_that_was_not_given_is_an_error(package: str) -> None:
    with pytest.raises(UndefinedError, match="part"):
        template(package, "head.jinja", escape, code=str).render(name="", many=0)


def test_a_part_is_read_as_it_is(package: str) -> None:
    assert read_part(package, "head.jinja") == HEAD
