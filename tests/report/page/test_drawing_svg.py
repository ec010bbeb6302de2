import re
from importlib import resources
from xml.etree import ElementTree as ET

import pytest

from stress.report.page.drawing import PALETTE, inline

DRAWING = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 width="10pt" height="5pt" viewBox="0 0 10 5" version="1.1">
<metadata>who made it</metadata><defs><style type="text/css">*{}</style></defs>
<g id="a"><path id="m1" d="M0 0" style="fill: #B3261E; stroke-width: 0.8"/></g>
<use xlink:href="#m1" style="stroke: #dadee5"/>
<g clip-path="url(#a)"><text style="font: 700 10px 'DejaVu Sans'; text-anchor: middle">1</text>
<rect style="fill: url(#m1)"/></g></svg>"""


def test_no_style_is_left_that_a_strict_policy_would_block() -> None:
    drawn = inline(DRAWING, "x", "bars")

    assert "style" not in drawn
    assert "metadata" not in drawn
    assert 'stroke-width="0.8"' in drawn
    assert 'text-anchor="middle"' in drawn
    assert 'font-size="10"' in drawn
    assert "DejaVu" not in drawn


def test_colours_of_the_palette_keep_their_light_form_and_gain_a_class() -> None:
    drawn = inline(DRAWING, "x", "bars")

    assert f'fill="{PALETTE["bad"].upper()}"' in drawn
    assert 'class="f-bad"' in drawn
    assert 'class="s-line"' in drawn


def test_identifiers_of_two_drawings_do_not_meet() -> None:
    one, other = (
        {each.get("id") for each in ET.fromstring(inline(DRAWING, name, "")).iter()} - {None}
        for name in ("one", "other")
    )
    drawn = inline(DRAWING, "one", "")

    assert not one & other
    assert 'href="#one-m1"' in drawn
    assert 'clip-path="url(#one-a)"' in drawn
    assert 'fill="url(#one-m1)"' in drawn


def test_it_says_what_it_shows_to_those_who_do_not_see_it() -> None:
    root = ET.fromstring(inline(DRAWING, "x", 'bars & "more" <b>'))

    assert root.get("role") == "img"
    assert root.get("aria-label") == 'bars & "more" <b>'
    assert root.get("width") is None
    assert root.get("viewBox") == "0 0 10 5"


@pytest.mark.parametrize("name", PALETTE)
def test_the_style_sheet_knows_every_colour(name: str) -> None:
    sheet = resources.files("stress.report.page").joinpath("style.css").read_text()

    assert f"--{name}: {PALETTE[name]}" in sheet
    assert f".f-{name} " in sheet
    assert f".s-{name} " in sheet


def test_the_settings_of_the_plots_have_no_colour_of_their_own() -> None:
    text = resources.files("stress.report.page").joinpath("plots.mplstyle").read_text()
    colours = re.findall(r"color: ([0-9a-f]{6})$", text, re.MULTILINE)

    assert colours
    assert {f"#{colour}" for colour in colours} <= set(PALETTE.values())
