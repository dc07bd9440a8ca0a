"""The facts of a card follow from the training, and survive as JSON."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import RegistryError
from barograph.evaluation import scores
from barograph.training.card import CURVE_POINTS, card, curve, decoded, encoded
from barograph.training.walkforward import CHOSEN
from cards import facts_of, made, pooled, replaced, report_of, walked


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(np.linspace(0, 1, 9).tolist()))))
def test_the_area_under_the_curve_is_the_score_beside_it(rows):
    """Few steps of recall: nothing is thinned."""
    columns = zip(*rows, strict=True) if rows else ([0.0], [0.0])
    y, probability = (np.array(column, np.float64) for column in columns)
    drawn = curve(y, probability)
    if not y.any():
        assert drawn.recall == drawn.precision == []
        return
    area = float(np.sum(np.diff(drawn.recall, prepend=0) * drawn.precision))
    assert area == pytest.approx(scores.pr_auc(y, probability), abs=1e-3)


def test_a_long_curve_is_thinned_and_ends_where_all_are_found():
    rng = np.random.default_rng(0)
    y, probability = (rng.random(5000) < 0.5).astype(float), rng.random(5000)
    drawn = curve(y, probability)
    assert len(drawn.recall) <= CURVE_POINTS
    assert drawn.recall == sorted(drawn.recall)
    assert (drawn.recall[-1], drawn.precision[-1]) == (1.0, pytest.approx(y.mean(), abs=0.01))


@pytest.mark.slow
@pytest.mark.parametrize("timed", [True, False])
def test_a_card_survives_as_json(timed):
    content = encoded(made(timed))
    assert json.loads(encoded(decoded(content, "storms/7"))) == json.loads(content)
    assert len(content) < 2 * 2**20


@pytest.mark.slow
def test_a_card_whose_training_has_no_parts_yet_is_read():
    """So they stand in registries that were made before a training's report had parts."""
    newer = replaced(made(), skill=[])
    content = json.loads(encoded(newer))
    training = content["training"]
    tested = training.pop("tested")
    del tested["skill"], tested["knowable"]
    scores_of, rows = tested.pop("scores"), tested.pop("rows")
    for part in ("data", "model", "gate"):
        training |= training.pop(part)
    training |= tested | {"rows": scores_of, "tested_rows": rows}
    assert len(training) == 33
    card_read = decoded(json.dumps(content).encode(), "storms/7")
    assert encoded(card_read) == encoded(decoded(encoded(newer), "storms/7"))


@pytest.mark.slow
def test_what_is_not_defined_is_null_in_json_and_nan_again():
    row = report_of().tested.scores[0]
    undefined = msgspec.structs.replace(
        row,
        pr_auc=msgspec.structs.replace(row.pr_auc, estimate=math.nan, low=math.nan),
        log_r2=None,
        acting={"recall": math.nan},
    )
    content = encoded(replaced(made(), scores=[undefined]))
    assert b"NaN" not in content
    (read,) = decoded(content, "storms/7").training.tested.scores
    assert math.isnan(read.pr_auc.estimate)
    assert math.isnan(read.pr_auc.low)
    assert math.isnan(read.acting["recall"])
    assert read.log_r2 is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"training": 1}', b"\xff"])
def test_what_is_no_card_is_refused_in_a_line(content):
    with pytest.raises(RegistryError, match=r"storms/7: its card cannot be read .* Train again"):
        decoded(content, "storms/7")


@pytest.mark.slow
def test_the_same_training_gives_the_same_card():
    again = card(walked(), pooled(), report_of(), facts_of())
    assert encoded(again) == encoded(made())


def test_groups_of_like_probability_are_those_of_the_reliability_table():
    y, probability = pooled().y, pooled().probability[CHOSEN]
    table = scores.reliability(y, probability)
    bins = made().bins
    np.testing.assert_allclose(
        [(one.rows, one.mean_probability, one.came_true.estimate) for one in bins],
        [(one.rows, one.mean_probability, one.frequency) for one in table],
        rtol=1e-12,
    )
    assert sum(one.rows for one in bins) == len(y)
    assert all(one.came_true.low <= one.came_true.high for one in bins)
    gaps = sum(one.rows * abs(one.mean_probability - one.came_true.estimate) for one in bins) / len(
        y
    )
    assert gaps == pytest.approx(pooled().interval(CHOSEN, scores.calibration_error).estimate)


@pytest.mark.slow
def test_curves_are_of_the_choices_and_of_what_they_must_beat():
    assert list(made().curves) == [CHOSEN, "late"]
    assert list(made(timed=False).curves) == [CHOSEN, "charges"]


def test_a_case_without_time_has_no_timeline_and_no_goals_of_its_own():
    timeless = made(timed=False)
    assert timeless.timeline is None
    assert {goal.goal for goal in timeless.goals} == {
        "Brier score significantly below that of charges",
        "log loss significantly below that of charges",
    }
    assert not any("episode" in sentence for sentence in timeless.failures)
