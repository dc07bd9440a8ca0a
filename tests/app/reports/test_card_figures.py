"""The figures of a card as Matplotlib has them, before a page takes them."""

import numpy as np
import pytest

from barograph.app.reports.card_figures import precision_recall, reliability, strip
from barograph.app.reports.figures_svg import INCH, NARROW, WIDE
from barograph.cases.case import LEVEL, OUTCOME
from cards import made


def test_each_bin_is_a_point_with_its_interval():
    card = made()
    (axes,) = reliability(card).axes
    points = axes.lines[-1]
    assert np.allclose(points.get_xdata(), [one.mean_probability for one in card.bins])
    assert np.allclose(points.get_ydata(), [one.came_true.estimate for one in card.bins])
    (bars,) = axes.collections
    assert len(bars.get_segments()) == len(card.bins)


def test_every_curve_of_the_card_and_the_base_rate_have_a_line():
    card = made()
    (axes,) = precision_recall(card).axes
    labels = [line.get_label().partition(",")[0] for line in axes.lines]
    assert sorted(labels) == sorted([*card.curves, "base rate"])


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_a_strip_is_as_wide_as_asked_and_has_a_panel_for_what_it_holds(width):
    for one in made().timeline.strips:
        figure = strip(one, (OUTCOME, LEVEL), width)
        assert figure.get_size_inches()[0] * INCH == pytest.approx(width)
        assert len(figure.axes) == 1 + bool(one.outcome_low) + bool(one.level)
