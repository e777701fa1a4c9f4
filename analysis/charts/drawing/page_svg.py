"""Matplotlib's SVG as the page wants it: words on every mark, colours as variables, nothing that is not needed."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from analysis.charts.drawing.colours import PAGE_COLOURS


def parsed(written: bytes) -> ElementTree.Element:
    """The picture's tree, as HTML knows it: without namespaces, and without control characters, which XML has not."""
    clean = re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"", written)
    root = ElementTree.fromstring(clean)  # noqa: S314 - written by matplotlib in this process
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if "}" in name]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))
    return root


def add_words(group: ElementTree.Element, words: Sequence[str]) -> None:
    """Each mark of a group with its words as a title, which a browser shows on hover."""
    for parent in list(group.iter("g")):
        drawn = [element for element in parent if element.tag in ("use", "path")]
        for element in drawn:
            mark = ElementTree.Element("g", {"class": "mark"})
            parent[list(parent).index(element)] = mark
            ElementTree.SubElement(mark, "title").text = None
            mark.append(element)
            if element.tag == "use":  # a small marker is hit from nearby
                place = {"cx": element.get("x", "0"), "cy": element.get("y", "0")}
                ElementTree.SubElement(mark, "circle", {"class": "near", "r": "6", **place})
    for title, text in zip(group.iter("title"), words, strict=True):
        title.text = text


def page_text(group: ElementTree.Element) -> str:
    """A part as text, without what the page does not need: ids, clipping, fonts and digits beyond the second."""
    for element in group.iter():
        if element.tag == "g":
            element.attrib.pop("id", None)
        element.attrib.pop("clip-path", None)
        element.tail = None
        for name, value in element.attrib.items():  # of places; words keep their digits
            element.set(name, re.sub(r"(\d\.\d\d)\d+", r"\1", value))
    text = ElementTree.tostring(group, encoding="unicode")
    for pattern, instead in (
        (r" transform=\"rotate\(-0 [^)]*\)\"", ""),
        (r"font-family: [^;\"]*;? ?", ""),
        (r"\s*\n\s*", " "),
    ):
        text = re.sub(pattern, instead, text)
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: PAGE_COLOURS.get(found[0], found[0]), text)
