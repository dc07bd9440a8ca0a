"""Figures of Matplotlib as SVG elements of a page: style, colours, size.

Labels stay text in the page's font. The palette is safe for colour-blind readers (Okabe, Ito 2008);
colours become CSS variables, for light and dark themes.
"""

import io
import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from barograph.app.reports.markup import Element, el

INCH = 72.0  # SVG units
NARROW, WIDE = 430.0, 1000.0
INK, SOFT, RULE = "#1d2327", "#5c676e", "#e3e1da"
BLUE, ORANGE, VERMILION, GREEN = "#0072b2", "#e69f00", "#d55e00", "#009e73"
_OF_THE_PAGE = {
    INK: "var(--ink)", SOFT: "var(--soft)", RULE: "var(--rule)", BLUE: "var(--blue)",
    ORANGE: "var(--orange)", VERMILION: "var(--vermilion)", GREEN: "var(--green)",
}  # fmt: skip
_COLOUR = re.compile("|".join(_OF_THE_PAGE))

STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


class CellFigure(Figure):
    """A figure that a notebook shows where a cell ends with it.

    IPython knows how to show a `Figure` only once pyplot was used, which nothing here does.
    """

    def _repr_png_(self) -> bytes:
        drawn = io.BytesIO()
        self.savefig(drawn, format="png")
        return drawn.getvalue()


def axes_of(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many SVG units, and its only axes."""
    figure = CellFigure(figsize=(width / INCH, height / INCH), layout="constrained")
    return figure, figure.add_subplot()


def as_svg(figure: Figure, name: str, alike: str) -> Element:
    """The figure as an SVG element; `name` makes its inner ids unique in the page.

    `alike` is the text alternative for screen readers.
    """
    drawn = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(drawn, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    root = ET.fromstring(drawn.getvalue())  # noqa: S314 - Matplotlib's
    for element in root.iter():
        for child in [one for one in element if _tag(one) in ("metadata", "style")]:
            element.remove(child)
    view = root.attrib["viewBox"]
    return el("svg", *_plain(root), viewBox=view, role="img", aria_label=alike, class_="plot")


def _plain(parent: Element) -> list[Element]:
    """The children without namespaces and unused ids, with the page's CSS colours."""
    children = []
    for child in parent:
        attributes = {
            name.rsplit("}", 1)[-1]: _COLOUR.sub(lambda colour: _OF_THE_PAGE[colour[0]], text)
            for name, text in child.attrib.items()
        }
        if _tag(child) == "g":
            attributes.pop("id", None)
        element = Element(_tag(child), attributes)
        element.text = child.text
        element.extend(_plain(child))
        children.append(element)
    return children


def _tag(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1]
