"""Elements of a page, and the page as text. Text is escaped when it is written, wherever it is."""

from xml.etree.ElementTree import Element, tostring

__all__ = ["Element", "el", "html"]


def el(tag: str, *children: Element | str, **attributes: str | float) -> Element:
    """An element; `class_` and `stroke_width` are written as class and stroke-width."""
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    element = Element(tag, {name: _text(value) for name, value in named.items()})
    for child in children:
        if not isinstance(child, str):
            element.append(child)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + child
        else:
            element.text = (element.text or "") + child
    return element


def html(root: Element) -> str:
    """A whole page."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
