import dataclasses

import msgspec
import numpy as np
import pytest

from barograph import candidates, scores
from barograph.case import Target
from barograph.errors import TooLittleDataError
from barograph.walkforward import CHOSEN, Pooled, Training, walk
from customers import CUSTOMERS, customers

HOW = Training(folds=3, resamples=100)


@pytest.fixture(scope="module")
def walked():
    return walk(CUSTOMERS, CUSTOMERS.table(customers().frame), HOW)


@pytest.fixture(scope="module")
def pooled(walked):
    return Pooled(walked, HOW)


def case_with(**changed):
    return dataclasses.replace(CUSTOMERS, **changed)


def bits(walked):
    return {
        name: [
            (tested.fitted.to_onnx(), tested.probability.tobytes(), tested.threshold)
            for tested in folds
        ]
        for name, folds in walked.tested.items()
    }


def test_every_candidate_is_tested_on_every_fold_by_a_model_that_did_not_see_it(walked, pooled):
    assert list(walked.tested) == ["persistence", "logistic", "lightgbm"]
    assert pooled.names == ("persistence", "logistic", "lightgbm", CHOSEN)
    assert sorted(pooled.rows) == list(range(3000))
    for question in walked.questions:
        fold = question.fold
        fitted_on = np.concatenate([fold.train, fold.validation, fold.calibration])
        assert not np.intersect1d(fitted_on, fold.test).size


def test_answers_of_test_rows_change_no_model_no_threshold_and_no_choice(walked):
    table = CUSTOMERS.table(customers().frame)
    fold = CUSTOMERS.split(table, 3)[1]
    turned = table.outcome.copy()
    turned[fold.test] = 1 - turned[fold.test]
    only = case_with(
        split=lambda _table, _folds: [fold], target=lambda _table, _train: Target(turned, {}, {})
    )
    told = walk(only, table, HOW)
    assert bits(told) == {name: [folds[1]] for name, folds in bits(walked).items()}
    assert told.choices == [walked.choices[1]]


def test_the_same_rows_and_seed_give_the_same_bytes(walked):
    again = walk(CUSTOMERS, CUSTOMERS.table(customers().frame), HOW)
    assert bits(again) == bits(walked)
    assert Pooled(again, HOW).score_rows() == Pooled(walked, HOW).score_rows()


def test_the_choice_of_each_fold_is_the_best_so_far_on_rows_that_it_does_not_test(walked, pooled):
    for number, choice in enumerate(walked.choices):
        test = walked.questions[number].fold.test
        fair = [
            place
            for place, question in enumerate(walked.questions[: number + 1])
            if not set(question.fold.validation) & set(test)
        ]
        scored = {
            name: np.mean([folds[place].selection for place in fair])
            for name, folds in walked.tested.items()
            if name != "persistence"
        }
        assert fair == ([0], [0, 1], [1, 2])[number]
        assert choice == max(scored, key=scored.get)
    said = np.concatenate([tested.probability for tested in walked.chosen])
    assert (pooled.probability[CHOSEN] == said).all()


def test_a_later_fold_changes_no_earlier_choice(walked):
    shorter = dataclasses.replace(walked, questions=walked.questions[:2])
    assert shorter.choices == walked.choices[:2]


def test_the_interval_of_a_difference_holds_its_percentiles_and_their_mirror_image(pooled):
    order = CUSTOMERS.table(customers().frame).order[pooled.rows]
    draws = scores.resamples(
        order, np.zeros_like(order), block_s=1, count=HOW.resamples, seed=HOW.seed
    )
    ours, theirs = scores.resampled_together(
        [(scores.pr_auc, pooled.probability[name]) for name in ("logistic", "persistence")],
        pooled.y,
        draws,
    )
    percentile = (ours - theirs).interval()
    wide = pooled.over_reference("logistic", scores.pr_auc)
    assert wide.low == min(percentile.low, 2 * percentile.estimate - percentile.high)
    assert wide.high == max(percentile.high, 2 * percentile.estimate - percentile.low)
    assert pooled.blocks == 3000


def test_scores_and_differences_are_those_of_the_pooled_test_rows(walked, pooled):
    y = np.concatenate([question.answers(question.fold.test) for question in walked.questions])
    rows = {row.name: row for row in pooled.score_rows()}
    for name, row in rows.items():
        said = pooled.probability[name]
        assert row.pr_auc.estimate == scores.pr_auc(y, said)
        assert row.log_loss.estimate == scores.log_loss(y, said)
        assert row.lift.estimate == pytest.approx(row.pr_auc.estimate / y.mean())
        assert row.pr_auc.low < row.pr_auc.estimate < row.pr_auc.high
    differences = {difference.name: difference for difference in pooled.differences()}
    assert list(differences) == ["logistic", "lightgbm", CHOSEN]
    gain = rows["logistic"].pr_auc.estimate - rows["persistence"].pr_auc.estimate
    assert differences["logistic"].pr_auc.estimate == pytest.approx(gain)
    assert differences["logistic"].pr_auc.low > 0
    assert pooled.base_rate.estimate == y.mean()


def test_a_fold_tells_what_it_was_made_of(walked):
    facts = walked.fold_facts()
    assert [fold.test.rows for fold in facts] == [1000, 1000, 1000]
    assert facts[0].train.rows + facts[0].validation.rows + facts[0].calibration.rows == 2000
    assert set(facts[0].thresholds) == {"persistence", "logistic", "lightgbm"}
    assert msgspec.json.decode(msgspec.json.encode(facts))[0]["chosen"] == walked.choices[0]


def test_rows_without_an_answer_take_no_part(walked):
    table = CUSTOMERS.table(customers().frame)
    y = table.outcome.copy()
    y[::7] = np.nan
    told = walk(case_with(target=lambda _table, _train: Target(y, {}, {})), table, HOW)
    for question in told.questions:
        for rows in msgspec.structs.astuple(question.fold):
            assert not (rows % 7 == 0).any()
            assert len(rows)
    assert len(walked.questions) == len(told.questions)


def test_a_side_without_any_answer_says_what_the_target_said():
    table = CUSTOMERS.table(customers().frame)
    nothing = Target(np.full(3000, np.nan), {}, {"customer": "there are 3 of them"})
    with pytest.raises(TooLittleDataError, match="there are 3 of them"):
        walk(case_with(target=lambda _table, _train: nothing), table, HOW)


def test_a_candidate_that_cannot_be_fitted_everywhere_is_left_out_and_says_why():
    table = CUSTOMERS.table(customers().frame)

    def calm_calibration(table, folds):
        first, *others = CUSTOMERS.split(table, folds)
        calm = first.calibration[table.outcome[first.calibration] == 0.0]
        return [msgspec.structs.replace(first, calibration=calm), *others]

    told = walk(case_with(split=calm_calibration), table, HOW)
    assert list(told.tested) == ["persistence", "logistic"]
    assert "0 yes" in told.left_out["lightgbm"]
    assert CHOSEN in Pooled(told, HOW).names


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_answers_of_one_kind_are_too_little(answer):
    table = CUSTOMERS.table(customers().frame)
    one_kind = Target(np.full(3000, answer), {}, {})
    with pytest.raises(TooLittleDataError, match="yes and no"):
        walk(case_with(target=lambda _table, _train: one_kind), table, HOW)


def test_the_reference_alone_is_no_training():
    table = CUSTOMERS.table(customers().frame)

    def hopeless(name, _features, _slices, _seed):
        raise TooLittleDataError(name, "nothing", "something", "Wait")

    alone = case_with(
        candidates=lambda _features: (
            candidates.persistence("charges"),
            candidates.Candidate("hopeless", ("calls",), hopeless),
        )
    )
    with pytest.raises(TooLittleDataError, match="hopeless: have nothing"):
        walk(alone, table, HOW)


def test_validation_rows_without_an_event_leave_the_choice_to_the_order_of_the_case():
    table = CUSTOMERS.table(customers().frame)

    def calm_validation(table, folds):
        fold = CUSTOMERS.split(table, folds)[0]
        calm = fold.validation[table.outcome[fold.validation] == 0.0]
        return [msgspec.structs.replace(fold, validation=calm)]

    linear = case_with(
        split=calm_validation,
        candidates=lambda features: (
            candidates.persistence("charges"),
            candidates.har_logistic(("calls",)),
            candidates.logistic(features),
        ),
    )
    told = walk(linear, table, HOW)
    assert np.isnan(told.tested["logistic"][0].selection)
    assert told.choices == ["har_logistic"]


def test_progress_is_told_step_by_step():
    steps = []
    table = CUSTOMERS.table(customers().frame)
    walk(CUSTOMERS, table, HOW, lambda *step: steps.append(step))
    assert steps[0] == ("persistence, fold 1", 0, 9)
    assert steps[-1] == ("lightgbm, fold 3", 8, 9)
