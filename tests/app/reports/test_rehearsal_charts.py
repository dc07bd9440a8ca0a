"""The pictures of a rehearsal: every mark lies inside them, at the place that its value says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.reports.rehearsal_charts import latencies, ranking, reliability
from barograph.evaluation.scores import ReliabilityBin
from rehearsals import candidate, latency

shares = st.floats(0, 1)


def marks(svg, kind):
    return [
        each for each in svg.iter() if kind in (each.tag, *each.attrib.get("class", "").split())
    ]


def assert_inside(svg):
    width, height = map(float, svg.attrib["viewBox"].split()[2:])
    for mark in svg.iter():
        for name, limit in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(mark.attrib.get(name, 0)) <= limit, mark.attrib


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.integers(1, 9))
def test_bars_are_as_high_as_their_records_are_many(stream, batch):
    svg = latencies({"stream": latency(*stream), "batch": latency(batch)})
    assert_inside(svg)
    heights = [float(bar.attrib["height"]) for bar in marks(svg, "rect")]
    assert heights[:-1] == pytest.approx([58 * each / max(stream) for each in stream], rel=1e-4)
    assert heights[-1] == 58
    assert f": {stream[0]:,} records" in marks(svg, "rect")[0][0].text


def test_a_mode_without_records_is_left_out_and_so_are_all():
    assert "batch" not in "".join(latencies({"stream": latency(1), "batch": latency()}).itertext())
    assert "No record" in latencies({"stream": latency()}).text


@given(st.lists(st.tuples(shares, shares), max_size=10))
def test_a_point_on_the_diagonal_means_what_it_says(pairs):
    bins = [ReliabilityBin(rows=1, mean_probability=a, frequency=b) for a, b in pairs]
    svg = reliability(bins)
    assert_inside(svg)
    (diagonal,) = marks(svg, "quantile")
    x1, y1, x2, y2 = (float(diagonal.attrib[name]) for name in ("x1", "y1", "x2", "y2"))
    for dot, (predicted, observed) in zip(marks(svg, "circle"), pairs, strict=True):
        assert float(dot.attrib["cx"]) == pytest.approx(x1 + predicted * (x2 - x1), rel=1e-4)
        assert float(dot.attrib["cy"]) == pytest.approx(y1 + observed * (y2 - y1), rel=1e-4)


@given(st.lists(st.lists(shares, min_size=3, max_size=3).map(sorted), max_size=6), shares)
def test_better_candidates_stand_further_to_the_right(bounds, base_rate):
    rows = [candidate(f"c{n}", mid, low, high) for n, (low, mid, high) in enumerate(bounds)]
    svg = ranking([*rows, candidate("unknown", *[float("nan")] * 3)], base_rate, "c0")
    dots = [float(dot.attrib["cx"]) for dot in marks(svg, "circle")]
    by_score = sorted(range(len(rows)), key=lambda n: rows[n].pr_auc.estimate)
    assert sorted(dots) == [dots[n] for n in by_score]
    assert f"base rate {base_rate:.3f}" in "".join(svg.itertext())
    assert_inside(svg)
