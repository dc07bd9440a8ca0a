"""A figure of Matplotlib becomes plain SVG in the colours of the page."""

import matplotlib as mpl

from barograph.app.reports.figures_svg import BLUE, NARROW, STYLE, as_svg, axes_of
from barograph.app.reports.markup import html


def drawn(name):
    with mpl.rc_context(STYLE):
        figure, axes = axes_of(NARROW, 200)
        axes.plot([0, 1], [1, 2], color=BLUE)
        return as_svg(figure, name, "a line")


def test_colours_are_the_pages_and_names_are_plain():
    page = html(drawn("a"))
    assert "var(--blue)" in page
    assert BLUE not in page
    assert 'aria-label="a line"' in page
    assert "{http" not in page
    assert "<style" not in page


def test_the_same_name_gives_the_same_bytes():
    assert html(drawn("a")) == html(drawn("a"))
