"""Fold by fold: what each candidate may see, what is chosen by which rows, what is searched."""

import dataclasses

import msgspec
import numpy as np
import pytest

import queue_levels
from barograph.cases.case import Target
from barograph.cases.sampled import SampledRows
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import scores
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.training.walkforward import Training, questions_of, walk
from customers import CUSTOMERS, customers
from queues import QUEUES

HOW = Training(folds=3, resamples=100)


@pytest.fixture(scope="module")
def table():
    return CUSTOMERS.table(customers().frame)


@pytest.fixture(scope="module")
def walked(table):
    return walk(CUSTOMERS, table, HOW)


def case_with(**changed):
    return dataclasses.replace(CUSTOMERS, **changed)


def bits(walked):
    return {
        name: [
            (
                tested.fitted.to_onnx(),
                tested.probability.tobytes(),
                tested.threshold,
                tested.selection,
            )
            for tested in folds
        ]
        for name, folds in walked.tested.items()
    }


@pytest.mark.slow
def test_every_candidate_is_tested_on_every_fold_by_a_model_that_did_not_see_it(walked):
    assert list(walked.tested) == ["charges", "logistic", "lightgbm"]
    tested = np.concatenate([question.fold.test for question in walked.questions])
    assert sorted(tested) == list(range(3000))
    for question in walked.questions:
        assert not np.intersect1d(question.fold.train, question.fold.test).size
        for rest, held in question.fold.inner:
            assert not np.intersect1d(rest, held).size
            assert {*rest, *held} <= {*question.fold.train}


@pytest.mark.slow
def test_answers_of_test_rows_change_no_model_no_threshold_and_no_choice(table, walked):
    kind, folds = CUSTOMERS.split(table, 3, "auto")
    turned = table.outcome.copy()
    turned[folds[1].test] = 1 - turned[folds[1].test]
    only = case_with(
        split=lambda *_: (kind, [folds[1]]), target=lambda _table, _train: Target(turned, {}, {})
    )
    alone = walk(only, dataclasses.replace(table, outcome=turned), HOW)
    # exact: training repeats to the bit
    assert bits(alone) == {name: [of_folds[1]] for name, of_folds in bits(walked).items()}
    assert alone.choices == [walked.choices[1]]


@pytest.mark.slow
def test_features_of_test_rows_change_no_model_no_threshold_and_no_choice(table, walked):
    kind, folds = CUSTOMERS.split(table, 3, "auto")
    x = table.x.copy()
    x[folds[1].test] *= 7
    only = case_with(split=lambda *_: (kind, [folds[1]]))
    alone = walk(only, dataclasses.replace(table, x=x), HOW)
    for name, ((onnx, probability, *rest),) in bits(alone).items():
        before, probability_before, *rest_before = bits(walked)[name][1]
        assert (onnx, rest) == (before, rest_before)  # exact: training repeats to the bit
        assert probability != probability_before  # exact: they differ
    assert alone.choices == [walked.choices[1]]


@pytest.mark.slow
def test_the_same_rows_and_seed_give_the_same_bytes(table, walked):
    assert bits(walk(CUSTOMERS, table, HOW)) == bits(walked)  # exact: training repeats to the bit


def test_what_a_model_is_chosen_by_is_its_log_loss_on_rows_that_were_held_out(table, walked):
    """Computed by hand: each part by a model that grew on the rest, all calibrated together."""
    question = walked.questions[0]
    (logistic,) = [made for made in CUSTOMERS.candidates(table.features) if made.name == "logistic"]

    def examples(rows):
        return question.target.examples(table, logistic.features, rows)

    z, y, weight = [], [], []
    for rest, held in question.fold.inner:
        z.append(logistic.grow(examples(rest), HOW.seed).z(examples(held).x))
        y.append(table.outcome[held])
        weight.append(table.weight(held))
    z, y, weight = map(np.concatenate, (z, y, weight))
    fitted = walked.tested["logistic"][0].fitted
    probability = 1 / (1 + np.exp(-(fitted.slope * z + fitted.bias)))
    assert walked.tested["logistic"][0].selection == pytest.approx(scores.log_loss(y, probability))
    threshold = CUSTOMERS.threshold(table, question.fold.held_out, y, probability)
    assert walked.tested["logistic"][0].threshold == pytest.approx(threshold)


def test_each_fold_chooses_by_its_own_held_out_rows_and_never_a_baseline(table, walked):
    for fold, choice in enumerate(walked.choices):
        by_loss = {
            name: folds[fold].selection
            for name, folds in walked.tested.items()
            if name != "charges"
        }
        assert choice == min(by_loss, key=by_loss.get)  # exact: one number, copied
        assert walked.chosen[fold] is walked.tested[choice][fold]
    best_is_baseline = case_with(
        candidates=lambda features: (
            candidates.logistic(features, repeats=1, name="charges"),
            candidates.logistic(("charges",), repeats=1),
        )
    )
    new_walk = walk(best_is_baseline, table, HOW)
    assert new_walk.tested["charges"][0].selection < new_walk.tested["logistic"][0].selection
    assert new_walk.choices == ["logistic"] * 3


@pytest.mark.slow
def test_of_equals_the_first_is_chosen(table):
    twins = case_with(
        candidates=lambda features: (
            candidates.logistic(("charges",), repeats=1, name="charges"),
            *(candidates.logistic(features, repeats=1, name=name) for name in ("one", "other")),
        )
    )
    assert walk(twins, table, HOW).choices == ["one"] * 3


def test_a_fold_tells_what_it_was_made_of(walked):
    facts = walked.fold_facts()
    assert [fold.test.rows for fold in facts] == [1000, 1000, 1000]
    assert [fold.train.rows for fold in facts] == [2000, 2000, 2000]
    assert (
        set(facts[0].thresholds) == set(facts[0].selection) == {"charges", "logistic", "lightgbm"}
    )
    assert msgspec.json.decode(msgspec.json.encode(facts))[0]["chosen"] == walked.choices[0]
    assert walked.split == "stratified"


@pytest.mark.slow
def test_rows_without_an_answer_take_no_part(table):
    y = table.outcome.copy()
    y[::7] = np.nan
    new_walk = walk(case_with(target=lambda _table, _train: Target(y, {}, {})), table, HOW)
    for question in new_walk.questions:
        fold = question.fold
        for rows in (fold.train, fold.test, *(side for pair in fold.inner for side in pair)):
            assert not (rows % 7 == 0).any()
            assert len(rows)


def test_a_side_without_any_answer_is_refused_with_the_targets_reason(table):
    nothing = Target(np.full(3000, np.nan), {}, {"customer": "there are 3 of them"})
    with pytest.raises(TooLittleDataError, match="there are 3 of them"):
        walk(case_with(target=lambda _table, _train: nothing), table, HOW)


def picky(name="picky"):
    """A candidate that wants at least 1,990 rows: it can be fitted in no fold's inner parts."""
    logistic = candidates.logistic(("calls",), repeats=1)

    def grow(train, seed):
        if len(train.y) < 1990:
            raise TooLittleDataError(name, f"{len(train.y)} rows", "1990", "Wait")
        return logistic.grow(train, seed)

    return Candidate(name, ("calls",), grow, 1)


@pytest.mark.slow
def test_a_candidate_that_cannot_be_fitted_everywhere_is_left_out_and_says_why(table):
    new_walk = walk(
        case_with(candidates=lambda features: (*CUSTOMERS.candidates(features), picky())),
        table,
        HOW,
    )
    assert list(new_walk.tested) == ["charges", "logistic", "lightgbm"]
    assert "have 1500 rows, need 1990" in new_walk.left_out["picky"]
    assert {trial.candidate for trial in new_walk.trials} == {"charges", "logistic", "lightgbm"}


def test_without_its_reference_or_with_it_alone_there_is_no_training(table):
    reference = candidates.logistic(("charges",), repeats=1, name="charges")
    with pytest.raises(TooLittleDataError, match="picky: have 1500 rows"):
        walk(case_with(candidates=lambda _features: (reference, picky())), table, HOW)
    with pytest.raises(TooLittleDataError, match="charges: have 1500 rows"):
        walk(
            case_with(
                candidates=lambda features: (
                    picky("charges"), candidates.logistic(features, repeats=1)
                )
            ),
            table,
            HOW,
        )  # fmt: skip


def test_a_part_that_has_every_yes_is_learned_from_and_not_held_out(table):
    """Else one storm at the beginning of a record would leave nothing to train on."""
    kind, (fold, *_) = CUSTOMERS.split(table, 3, "auto")
    y = np.zeros(3000)
    stormy = fold.inner[0][1]
    y[stormy[::3]] = 1.0
    y[fold.test[::5]] = 1.0
    only = case_with(
        split=lambda *_: (kind, [fold]), target=lambda _table, _train: Target(y, {}, {})
    )
    (question,) = walk(only, table, HOW).questions
    assert [held.tolist() for _, held in question.fold.inner] == [
        held.tolist() for _, held in fold.inner[1:]
    ]
    assert set(stormy) <= set(question.fold.train)
    assert all(set(stormy) <= set(rest) for rest, _ in question.fold.inner)


def test_of_the_parts_that_can_be_held_out_no_more_are_than_asked_for(table):
    _, every = questions_of(CUSTOMERS, table, HOW)
    _, few = questions_of(CUSTOMERS, table, HOW, 1)
    for question, first in zip(every, few, strict=True):
        assert len(question.fold.inner) > 1
        ((rest, held),) = first.fold.inner
        assert rest.tolist() == question.fold.inner[0][0].tolist()
        assert held.tolist() == question.fold.inner[0][1].tolist()
        assert first.fold.train.tolist() == question.fold.train.tolist()
        assert first.fold.test.tolist() == question.fold.test.tolist()


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_answers_of_one_kind_are_too_little(answer, table):
    one_kind = Target(np.full(3000, answer), {}, {})
    with pytest.raises(TooLittleDataError, match="positives and negatives"):
        walk(case_with(target=lambda _table, _train: one_kind), table, HOW)


@pytest.mark.slow
def test_progress_is_reported_step_by_step(table):
    steps = []
    walk(CUSTOMERS, table, HOW, lambda *step: steps.append(step))
    assert steps[0] == ("charges, fold 1", 0, 9)
    assert steps[-1] == ("lightgbm, fold 3", 8, 9)


def searched(trials, table, going_on=lambda: True, seed=1):
    def varied(candidate, rng):
        return candidate.varied(
            candidates.Boosting(rounds=int(rng.integers(5, 80)), leaves=4, threads=1)
        )

    how = msgspec.structs.replace(HOW, trials=trials, seed=seed)
    return walk(case_with(varied=varied), table, how, going_on=going_on)


@pytest.mark.slow
def test_each_fold_takes_the_parameters_that_did_best_on_its_own_held_out_rows(table):
    new_walk = searched(4, table)
    trials = [trial for trial in new_walk.trials if trial.candidate == "lightgbm"]
    assert len(trials) == 5
    assert trials[0].parameters["rounds"] == 40
    assert len({trial.parameters["rounds"] for trial in trials}) > 1
    for fold, tested in enumerate(new_walk.tested["lightgbm"]):
        # exact: one number, copied
        assert tested.selection == min(trial.selection[fold] for trial in trials)


@pytest.mark.slow
def test_a_search_is_the_same_for_the_same_seed_and_may_be_ended(table):
    whole = searched(2, table)
    assert bits(searched(2, table)) == bits(whole)  # exact: training repeats to the bit
    assert searched(2, table, seed=2).trials[-1].parameters != whole.trials[-1].parameters
    ended = searched(2, table, going_on=lambda: False)
    assert len(ended.trials) == len(whole.trials) - 2
    assert bits(ended) == bits(walk(CUSTOMERS, table, HOW))  # exact: training repeats to the bit


@pytest.mark.slow
def test_where_nothing_can_be_varied_nothing_is_searched(table):
    how = msgspec.structs.replace(HOW, trials=3)
    new_walk = walk(CUSTOMERS, table, how)
    assert [trial.candidate for trial in new_walk.trials] == ["charges", "logistic", "lightgbm"]


def test_rows_to_learn_from_are_thinned_and_rows_to_predict_are_not(table):
    rows = {}

    def counted(name):
        logistic = candidates.logistic(("calls",), repeats=1)

        def grow(train, seed):
            rows.setdefault(name, []).append(len(train.y))
            return logistic.grow(train, seed)

        return Candidate(name, ("calls",), grow, 1)

    case = case_with(
        stride=4, candidates=lambda _features: (counted("charges"), counted("logistic"))
    )
    new_walk = walk(case, table, HOW)
    fold = new_walk.questions[0].fold
    kept = [table.order[side] % 4 == 0 for side in (*(rest for rest, _ in fold.inner), fold.train)]
    assert rows["logistic"][:5] == [int(some.sum()) for some in kept]
    assert len(new_walk.tested["logistic"][0].probability) == len(fold.test) == 1000


def test_a_candidate_whose_features_no_row_has_is_left_out_with_the_reason(table):
    odd = candidates.logistic(("tenure", "shoe_size"), repeats=1, name="odd")
    case = case_with(candidates=lambda names: (*CUSTOMERS.candidates(names)[:2], odd))
    walked = walk(case, table, HOW)
    assert "odd" not in walked.tested
    assert "shoe_size: no row has it" in walked.left_out["odd"]
    assert "tenure:" not in walked.left_out["odd"]


def test_a_candidate_that_comes_trained_on_tested_rows_is_left_out():
    table = QUEUES.table(queue_levels.dataset(4000, seed=1).frame)
    first_ns = min(
        QUEUES.span_ns(table, question.fold.test)[0]
        for question in questions_of(QUEUES, table, HOW)[1]
    )
    by_name = {}
    for name, until_ns in (("before", first_ns), ("after", first_ns + 1)):
        ready = dataclasses.replace(
            QUEUES.candidates(table.features)[1], name=name, fitted_until_ns=until_ns
        )
        by_name[name] = ready
    case = dataclasses.replace(
        QUEUES, candidates=lambda names: (QUEUES.candidates(names)[0], *by_name.values())
    )
    walked = walk(case, table, HOW)
    assert list(walked.tested) == ["persistence", "before"]
    assert "it was trained until" in walked.left_out["after"]


def test_folds_that_test_rows_of_a_sampled_history_are_refused(table):
    """A split of one's own that does not know of them would score a sample."""
    history = np.arange(len(table.order)) < 50
    sampled = SampledRows(np.where(history, 5, 1), history)
    with pytest.raises(BadInputError, match="samples_history=False"):
        questions_of(CUSTOMERS, dataclasses.replace(table, sampled=sampled), HOW)
    nothing = sampled._replace(history=np.zeros_like(history))
    questions_of(CUSTOMERS, dataclasses.replace(table, sampled=nothing), HOW)


@pytest.mark.slow
def test_a_side_counts_the_rows_that_its_rows_stand_for(walked):
    times = np.where(walked.table.outcome == 1.0, 1, 4)
    sampled = SampledRows(times, np.zeros(len(times), np.bool_))
    of = dataclasses.replace(walked, table=dataclasses.replace(walked.table, sampled=sampled))
    for question, facts in zip(walked.questions, of.fold_facts(), strict=True):
        rows = question.fold.train
        y = question.answers(rows)
        assert facts.train.rows == len(rows)
        assert facts.train.stands_for == times[rows].sum()
        assert facts.train.base_rate == pytest.approx(y.sum() / times[rows].sum())
