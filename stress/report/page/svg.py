"""Takes a drawing of matplotlib apart and makes it fit into a page of ours.

A page with a strict Content-Security-Policy allows no `style` attribute and no style element beside
its own. So every style declaration becomes a presentation attribute (SVG 1.1 section 6.1: each of
these properties has one), and each colour of the palette also becomes a class, which lets the
page's style sheet choose another colour in the dark. Without the style sheet (some mail readers
drop it) the attributes remain, and the drawing is a light one.

Identifiers are renamed, because several drawings stand in one page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

PALETTE: Mapping[str, str] = {
    "ink": "#1b2330",
    "muted": "#5a6474",
    "line": "#dadee5",
    "paper": "#ffffff",
    "good": "#1d6a8a",
    "bad": "#b3261e",
    "bad2": "#8f5a00",
    "bad3": "#6a4199",
    "bad4": "#4c5866",
}
"""Name of a colour, which is also its class in the style sheet -> its light form."""

_NAMES = {colour: name for name, colour in PALETTE.items()}
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_DROPPED = frozenset({f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"})
_FONT = re.compile(r"(?:(?P<weight>\d+|bold) )?(?P<size>[\d.]+)px .*")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_HASH = 1


def inline(drawing: str, name: str, described: str) -> str:
    """The drawing as an `svg` element for a page.

    Args:
        drawing: a whole SVG document as matplotlib writes it, with text as text.
        name: prefix of its identifiers, unique in the page.
        described: what it shows, for those who do not see it; may hold any character.
    """
    root = ET.fromstring(drawing)  # noqa: S314 - made by our own process a moment ago
    _drop(root)
    for element in root.iter():
        _restyle(element)
        _rename(element, name)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": described, "class": "plot"}
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _drop(root: ET.Element) -> None:
    """Take out what no reader sees, and the style element that the policy forbids."""
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _DROPPED]:
            parent.remove(child)


def _restyle(element: ET.Element) -> None:
    """Declarations become attributes; colours become classes too."""
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font":
            _set_font(element, value)
        elif key and key != "font-family":
            element.set(key, value)
    classes = [
        f"{kind[0]}-{_NAMES[colour]}"
        for kind in ("fill", "stroke")
        if (colour := element.get(kind, "").lower()) in _NAMES
    ]
    if classes:
        element.set("class", " ".join(classes))


def _set_font(element: ET.Element, value: str) -> None:
    """Keep size and weight; the family is the page's."""
    found = _FONT.fullmatch(value)
    if found is not None:
        element.set("font-size", found["size"])
        if found["weight"]:
            element.set("font-weight", found["weight"])


def _rename(element: ET.Element, name: str) -> None:
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.attrib['id']}")
    target = element.attrib.pop(_XLINK, None)
    if target is not None:
        element.set("href", f"#{name}-{target[_HASH:]}")
    for key, value in element.attrib.items():
        if "url(#" in value:
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))
