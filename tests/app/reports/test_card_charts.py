"""The pictures of a card: real SVG, no names in common, every mark where its value says."""

import re

import msgspec
import pytest

from barograph.app.reports import card_charts
from barograph.app.reports.card_charts import importance, precision_recall, reliability
from barograph.cases.case import LEVEL, OUTCOME, Axis
from barograph.training.importance import Importance
from barograph.training.timeline import Strip, TauLevel
from barograph.types import NS_PER_S
from cards import made

SVG = {"svg", "g", "path", "text", "defs", "clipPath", "rect", "use", "tspan"}


def strip(one, outcome=OUTCOME, level=LEVEL):
    return card_charts.strip(one, outcome, level)


def strip_of(low, high, storms=(), thresholds=()):
    return Strip(
        key="A", start_ns=0, end_ns=len(low) * NS_PER_S, step_ns=NS_PER_S, rows=len(low),
        low=low, high=high, storms=list(storms), thresholds=list(thresholds),
    )  # fmt: skip


def pictures():
    yield precision_recall(made())
    yield reliability(made())
    yield importance(made().importance)
    for one in made().timeline.strips:
        yield from strip(one)


def names(picture):
    return {element.get("id") for element in picture.iter() if element.get("id")}


def words(picture):
    return [(element.text or "").strip() for element in picture.iter("text")]


@pytest.mark.slow
def test_a_picture_is_plain_svg_that_says_what_it_shows():
    for picture in pictures():
        assert {element.tag for element in picture.iter()} <= SVG
        assert picture.get("role") == "img"
        assert picture.get("aria-label")
        assert "width" not in picture.attrib


@pytest.mark.slow
def test_a_picture_has_no_colours_but_those_of_the_page():
    for picture in pictures():
        texts = [text for element in picture.iter() for text in element.attrib.values()]
        assert not [text for text in texts if re.search("#[0-9a-f]{6}\\b", text)]
        assert any("var(--" in text for text in texts)


@pytest.mark.slow
def test_pictures_of_one_page_share_no_names_and_refer_to_their_own():
    seen = set()
    for picture in pictures():
        own_names = names(picture)
        assert own_names.isdisjoint(seen)
        seen |= own_names
        for element in picture.iter():
            for attribute in ("href", "clip-path"):
                reference = element.get(attribute, "").strip("url()").removeprefix("#")
                assert not reference or reference in own_names


@pytest.mark.slow
def test_curves_are_named_with_their_scores():
    labels = words(precision_recall(made()))
    for row in made().training.tested.scores:
        if row.name in made().curves:
            assert f"{row.name}, {row.pr_auc.estimate:.3f}" in labels
    assert any(word.startswith("base rate, ") for word in labels)


def test_the_weightiest_features_are_drawn_and_no_more_than_fit():
    many = [
        Importance(feature=f"f{n}", rise=1 / (n + 1), low=0, high=1, folds=1) for n in range(40)
    ]
    labels = words(importance(many))
    assert [word for word in labels if word.startswith("f")] == [f"f{n}" for n in range(15)]


def test_a_strip_comes_for_wide_and_for_narrow_pages():
    wide, narrow = strip(strip_of([0.1, None, 0.3], [0.2, None, 0.9]))
    assert (wide.get("class"), narrow.get("class")) == ("plot wide", "plot narrow")
    assert float(wide.get("viewBox").split()[2]) > 2 * float(narrow.get("viewBox").split()[2])


@pytest.mark.slow
@pytest.mark.parametrize("low", [[None], [0.5], [None, 0.1, None]])
def test_a_strip_may_be_short_or_begin_and_end_with_nothing(low):
    for picture in strip(strip_of(low, low)):
        assert picture.tag == "svg"


@pytest.mark.slow
def test_a_strip_shows_outcome_and_level_in_their_units():
    values = [1e-4, None, 3e-4]
    full = msgspec.structs.replace(
        strip_of(values, values),
        outcome_low=values,
        outcome_high=values,
        taus=[TauLevel(start_ns=0, end_ns=3 * NS_PER_S, tau=2e-4)],
        level=[100_000.0, None, 100_300.0],
    )
    for picture in strip(full, Axis("volatility", "bps", 1e4), Axis("mid price", "USD")):
        texts = words(picture)
        assert {"probability", "mid price"} <= set(texts)
        assert any("bps" in text for text in texts)
        prices = [text for text in texts if text.startswith("100,")]
        assert prices
        assert "volatility and mid price" in picture.get("aria-label")
    assert "mid price" not in words(strip(strip_of(values, values))[0])


@pytest.mark.slow
def test_a_level_that_never_moves_is_drawn():
    flat = msgspec.structs.replace(strip_of([0.1] * 3, [0.1] * 3), level=[0.0, 0.0, None])
    assert all(picture.tag == "svg" for picture in strip(flat))


@pytest.mark.slow
def test_a_storm_of_a_second_is_wide_enough_to_be_seen():
    hours = strip_of([0.1] * 7200, [0.1] * 7200, [(0, NS_PER_S)])
    calm = msgspec.structs.replace(hours, storms=[])
    assert paths(strip(hours)[0]) > paths(strip(calm)[0])
    (shaded,) = [
        element for element in strip(hours)[0].iter("path") if "var(--orange)" in style(element)
    ]
    xs = [
        float(part.split()[0])
        for part in shaded.get("d").replace("L", "M").split("M")
        if part.strip()
    ]
    assert max(xs) - min(xs) > 1.5


def paths(picture):
    return sum(1 for _ in picture.iter("path"))


def style(element):
    return element.get("style", "")
