import pytest

from barograph.app.reports import comparison_charts
from made_comparisons import MADE, pair

pytestmark = pytest.mark.slow


def test_the_picture_is_a_png_and_the_same_bytes_each_time():
    drawn = comparison_charts.picture(MADE)
    assert drawn.startswith(b"\x89PNG")
    assert drawn == comparison_charts.picture(MADE)


def test_each_chart_has_its_text_for_those_who_see_none():
    charts = (
        comparison_charts.differences,
        comparison_charts.precision_recall,
        comparison_charts.reliability,
    )
    labels = [chart(MADE).get("aria-label") for chart in charts]
    assert len(set(labels)) == 3
    assert all(labels)


@pytest.mark.parametrize(
    ("difference", "reach"),
    [((0.1, 0.05, 0.2), 0.2), ((0.0, 0.0, 0.0), 1.0), ((float("nan"),) * 3, 1.0)],
)
def test_a_difference_is_drawn_to_its_widest_bound(difference, reach):
    assert comparison_charts.reach(pair("pr_auc", difference)) == pytest.approx(reach)
