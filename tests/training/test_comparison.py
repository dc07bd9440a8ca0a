import dataclasses

import msgspec
import numpy as np
import pytest

from barograph.cases.case import Dataset
from barograph.errors import BadInputError
from barograph.evaluation import scores
from barograph.training.comparison import changes, compare, encoded
from barograph.training.walkforward import questions_of
from barograph.types import NS_PER_S
from compared_models import (
    CUSTOMERS_MADE,
    GOOD,
    HOW,
    POOR,
    STORMY_GOOD,
    STORMY_POOR,
    fresh_home,
    pair_of,
    trained_in,
)
from customers import CUSTOMERS, customers
from markets import market, spikes_of
from queue_levels import QUEUE_LEVELS
from queue_levels import dataset as queues

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(made_home, tmp_path_factory):
    return fresh_home(made_home, tmp_path_factory.mktemp("compare") / "home")


@pytest.fixture(scope="module")
def poor(home):
    return trained_in(home, POOR, code_hash="0ld")


@pytest.fixture(scope="module")
def good(home):
    return trained_in(home, GOOD)


@pytest.fixture(scope="module")
def again(home):
    return trained_in(home, GOOD)


def test_a_better_candidate_is_better_by_the_gate(poor, good):
    comparison = compare(CUSTOMERS, CUSTOMERS_MADE, poor, good)
    assert (comparison.verdict, comparison.worse) == ("better", False)
    assert pair_of(comparison, "log_loss").difference.high < 0
    assert pair_of(comparison, "pr_auc").difference.low > 0
    assert any("log loss must be better than champion's" in each for each in comparison.reasons)


def test_a_worse_candidate_is_refused_by_the_gates_own_words(poor, good):
    comparison = compare(CUSTOMERS, CUSTOMERS_MADE, good, poor)
    assert (comparison.verdict, comparison.worse) == ("refused", True)
    assert any("must not be worse than champion's" in each for each in comparison.reasons)


def test_the_same_training_again_is_not_worse_and_changes_nothing(good, again):
    comparison = compare(CUSTOMERS, CUSTOMERS_MADE, good, again)
    assert comparison.verdict == "not worse"
    assert comparison.changes == []
    # exact: the same model on the same rows
    assert {pair.difference.estimate for pair in comparison.scores} == {0.0}


def test_the_scores_are_those_of_the_last_folds_tested_rows(poor, good):
    comparison = compare(CUSTOMERS, CUSTOMERS_MADE, poor, good)
    table = CUSTOMERS.table(CUSTOMERS_MADE.frame)
    rows = questions_of(CUSTOMERS, table, HOW)[1][-1].fold.test
    rows = rows[table.order[rows] > poor.model.facts.last_order]
    assert comparison.rows == comparison.blocks == len(rows)
    for of, side in ((poor, "champion"), (good, "candidate")):
        probability = of.model.onnx.predict(table.columns(of.model.facts.features, rows))
        expected = scores.log_loss(table.outcome[rows], probability)
        estimate = getattr(pair_of(comparison, "log_loss"), side).estimate
        assert estimate == pytest.approx(expected, rel=1e-12)


def test_what_changed_is_named_with_both_sides(poor, good):
    named = {(each.of, each.name): (each.champion, each.candidate) for each in changes(poor, good)}
    assert named["code", "hash"] == ("0ld", "c0de")
    assert named["model", "features"] == ("tenure", "tenure, calls, charges")
    assert not [name for of, name in named if of == "data"]
    assert ("training", "max_rows") not in named  # neither left rows out


def test_a_training_that_left_rows_out_differs_by_how_many_it_kept(good):
    settings = msgspec.structs.replace(good.card.training.settings, max_rows=1000)
    training = msgspec.structs.replace(good.card.training, settings=settings)
    sampled = good._replace(card=msgspec.structs.replace(good.card, training=training))
    [change] = changes(good, sampled)
    assert (change.name, change.champion, change.candidate) == ("max_rows", "–", "1000")


def test_records_that_the_champion_was_fitted_on_are_left_out(home, good):
    """Another dataset with some of the same customers: their lots say who is new to it."""
    more = customers(4800, seed=9)
    candidate = trained_in(home, GOOD, more)
    comparison = compare(CUSTOMERS, more, good, candidate)
    table = CUSTOMERS.table(more.frame)
    rows = questions_of(CUSTOMERS, table, HOW)[1][-1].fold.test
    fresh = table.order[rows] > good.model.facts.last_order
    assert comparison.rows == fresh.sum() < len(rows)
    assert {"data"} == {each.of for each in comparison.changes} - {"model"}


def test_a_case_in_time_is_compared(home):
    comparison = compare(
        STORMY_GOOD,
        Dataset(CUSTOMERS_MADE.frame, "storms"),
        trained_in(home, STORMY_POOR, Dataset(CUSTOMERS_MADE.frame, "storms")),
        trained_in(home, STORMY_GOOD, Dataset(CUSTOMERS_MADE.frame, "storms")),
    )
    assert pair_of(comparison, "log_loss").difference.high < 0
    assert 0 < comparison.start_ns < comparison.end_ns
    assert comparison.events > 0


def test_models_that_were_fitted_on_all_rows_are_compared_on_those_after_both(home):
    """Of their own dataset each of them knows every row."""
    case = spikes_of(names=("persistence", "har", "ridge"))
    assert case.refit
    longer = market("market", 6, seed=2)
    second = longer.frame["second"]
    until = Dataset(longer.frame.filter(second < second.min() + 4 * 3600), "until")
    models = [trained_in(home, case, until) for _ in range(2)]
    with pytest.raises(BadInputError, match=r"no row after those of .* Record more"):
        compare(case, until, *models)
    comparison = compare(case, longer, *models)
    trained_ns = models[0].model.facts.train_end_ns
    assert trained_ns < comparison.start_ns < comparison.end_ns
    assert comparison.end_ns == (second.max() + 1) * NS_PER_S
    # exact: the same model on the same rows
    assert {pair.difference.estimate for pair in comparison.scores} == {0.0}


def test_a_level_is_compared_by_qlike_and_coverage(home):
    data, case = queues(1800, seed=4), dataclasses.replace(QUEUE_LEVELS, block=20)
    models = [trained_in(home, case, data) for _ in range(2)]
    comparison = compare(case, data, *models)
    assert comparison.verdict == "not worse", comparison.reasons
    assert any("QLIKE must not be worse than champion's" in each for each in comparison.reasons)
    assert any("coverage must not be surely outside" in each for each in comparison.reasons)
    held = pair_of(comparison, "coverage").candidate.estimate
    assert 0.5 < held < 1.0


def test_models_judged_on_different_data_are_refused(poor, good):
    with pytest.raises(BadInputError, match="was judged on other data"):
        compare(CUSTOMERS, customers(2400, seed=5), poor, good)


def test_a_champion_that_knows_all_tested_rows_is_refused(poor, good):
    facts = msgspec.structs.replace(poor.model.facts, last_order=2**53)
    knows_all = poor._replace(model=poor.model._replace(facts=facts))
    with pytest.raises(BadInputError, match="judged on different data"):
        compare(CUSTOMERS, CUSTOMERS_MADE, knows_all, good)


@pytest.mark.parametrize("horizon_s", [60, 3600])
def test_other_targets_are_refused(poor, good, horizon_s):
    facts = msgspec.structs.replace(poor.model.facts, horizon_s=horizon_s)
    other = poor._replace(model=poor.model._replace(facts=facts))
    with pytest.raises(BadInputError, match=f"different targets: horizon {horizon_s} and 0"):
        compare(CUSTOMERS, CUSTOMERS_MADE, other, good)


def test_a_model_of_features_that_the_rows_lack_is_refused(poor, good):
    facts = msgspec.structs.replace(poor.model.facts, features=("height",))
    other = poor._replace(model=poor.model._replace(facts=facts))
    with pytest.raises(BadInputError, match="it uses height"):
        compare(CUSTOMERS, CUSTOMERS_MADE, other, good)


def test_too_few_blocks_to_say_anything_are_a_refusal_that_says_so(poor, good):
    """As in training: intervals of few blocks are too narrow to be believed."""
    few = dataclasses.replace(CUSTOMERS, block=10**16)
    comparison = compare(few, CUSTOMERS_MADE, poor, good)
    assert comparison.worse
    assert any("blocks must be at least 20" in each for each in comparison.reasons)


def test_encoded_and_decoded_it_is_the_same(poor, good):
    comparison = compare(CUSTOMERS, CUSTOMERS_MADE, poor, good)
    decoded = msgspec.json.decode(encoded(comparison), type=type(comparison))
    assert decoded == comparison  # exact: it was encoded
    assert not np.isnan(decoded.base_rate)
