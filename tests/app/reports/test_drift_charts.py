from barograph.app.reports.drift_charts import shares, strength
from barograph.types import NS_PER_S

MINUTE_NS = 60 * NS_PER_S


def paths(elements):
    return [path.get("d") for element in elements for path in element.iter("path")]


def test_a_hole_breaks_the_line_and_windows_at_the_limit_are_marked():
    times = [MINUTE_NS * minute for minute in (0, 5, 10, 100, 105)]
    wide, narrow = strength(times, [0.1, 0.2, 1.5, 0.3, 2.0])
    for path in paths([wide, narrow]):
        assert path.count("M") == 2
    assert len(list(wide.iter("circle"))) == 2
    assert (wide.get("class"), narrow.get("class")) == ("chart wide", "chart narrow")


def test_the_highest_of_many_windows_is_drawn():
    strengths = [0.0] * 5000
    strengths[2345] = 3.0
    wide, _ = strength([MINUTE_NS * place for place in range(5000)], strengths)
    assert len(list(wide.iter("circle"))) == 1


def test_without_a_window_a_sentence_stands_there():
    (only,) = strength([], [])
    assert only.text == "No window could be tested."


def test_each_bin_has_a_bar_for_each_span():
    chart = shares([0.5, 0.5], [0.1, 0.9])
    assert [bar.get("class") for bar in chart.iter("rect")] == ["bar stream", "bar batch"] * 2
