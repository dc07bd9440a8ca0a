"""HTML elements, and the page as text.

All text is escaped when written; control characters are replaced by visible escapes.
"""

from collections.abc import Iterable
from importlib.resources import files
from xml.etree.ElementTree import Element, tostring

from barograph.foreign import spelled_out

__all__ = ["Element", "document", "el", "html"]


def el(tag: str, *children: Element | str, **attributes: str | float) -> Element:
    """Build an element; attributes `class_` and `stroke_width` become class and stroke-width."""
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


def document(title: str, elements: Iterable[Element]) -> str:
    """A self-contained HTML page with the shared style sheet (light and dark)."""
    css = files("barograph.app.reports").joinpath("page.css").read_text(encoding="utf-8")
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", css),
    )
    return html(el("html", head, el("body", el("main", *elements)), lang="en"))


def html(root: Element) -> str:
    """Serialise `root` as an HTML page, with control characters escaped."""
    page = tostring(root, encoding="unicode", method="html")
    return spelled_out(f"<!doctype html>\n{page}\n")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
