import dataclasses
import shutil
import sqlite3
import time
from contextlib import closing

import msgspec
import numpy as np
import polars as pl
import pytest

from barograph.cases.case import Dataset, Target
from barograph.errors import ExportRefusedError, TooLittleDataError
from barograph.evaluation.gate import PromotionGate
from barograph.learning.candidates import Boosting, Candidate, logistic
from barograph.learning.fitted import Fitted
from barograph.registry.registry import Registry
from barograph.training.train import Training, train
from barograph.training.walkforward import CHOSEN
from customers import CUSTOMERS, FEATURES, customers
from quick_training import HOW


@pytest.fixture(scope="module")
def home(made_home, tmp_path_factory):
    return shutil.copytree(made_home, tmp_path_factory.mktemp("train") / "home")


@pytest.fixture(scope="module")
def registry(home):
    """One registry for all: making its database takes seconds. Tests take a case name each."""
    return Registry(home)


def trained(registry, name, dataset=None, how=HOW, **changed):
    case = dataclasses.replace(CUSTOMERS, name=name, **changed)
    dataset = dataset or customers()
    return case, train(case, dataset, registry, how, clock_ns=time.time_ns)


LATER = customers(9000, seed=1)
"""Customers of whom a third were known before, by their names."""


@pytest.mark.slow
def test_a_case_without_time_is_trained_tested_and_promoted_by_the_same_job(registry):
    case, report = trained(registry, "promoted")
    assert report.gate.decision.promote
    assert registry.champion_version(case.name) == report.model.version == 1
    assert registry.version_of(case.name, "candidate") == 1
    (entry,) = registry.history(case.name)
    assert entry.reason == "; ".join(report.gate.decision.reasons)
    assert report.tested.episodes == int(customers().frame["left"].sum())


@pytest.mark.slow
def test_the_registered_model_is_the_one_that_was_tested(registry):
    case, report = trained(registry, "as_tested")
    model = registry.load(case.name, report.model.version, case.feature_set)
    table = case.table(customers().frame)
    test = case.split(table, 3, "auto")[1][-1].test
    probability = model.onnx.predict(table.columns(model.facts.features, test))
    y = table.outcome[test]
    brier = model.facts.scores["last_fold"]["brier"]
    assert np.mean((probability - y) ** 2) == pytest.approx(brier, abs=1e-6)
    assert report.tested.folds[-1].chosen == report.model.chosen == model.facts.candidate


@pytest.mark.slow
def test_a_version_carries_all_that_is_known_of_it(registry):
    case, report = trained(registry, "facts", target=in_euros)
    facts = registry.load(case.name, report.model.version, case.feature_set).facts
    assert (facts.case, facts.feature_set) == ("facts", "customers/1")
    assert (facts.data_hash, facts.seed) == ("customers 3000 0", 3)
    assert facts.tau == {"customer": 1.0} == report.model.tau
    assert (
        facts.threshold
        == report.model.threshold
        == report.tested.folds[-1].thresholds[report.model.chosen]
    )
    assert {"charges", "logistic", "lightgbm", CHOSEN, "last_fold"} == set(facts.scores)
    # exact: one number, copied
    assert facts.scores[CHOSEN]["base_rate"] == report.tested.base_rate.estimate
    assert facts.scores[CHOSEN]["recall"] == report.tested.scores[-1].acting["recall"]
    # exact: one number, copied
    assert facts.scores["charges"]["brier_high"] == report.tested.scores[0].brier.high
    (version,) = registry.versions(case.name)
    assert version.tags["data_hash"] == "customers 3000 0"


def in_euros(table, _train):
    return Target(table.outcome, {"customer": 1.0}, {})


@pytest.mark.slow
def test_the_same_dataset_and_seed_give_the_same_model_bytes(registry):
    (one, first), (two, second) = (trained(registry, name) for name in ("again_1", "again_2"))
    facts = [
        registry.load(case.name, report.model.version, case.feature_set).facts
        for case, report in ((one, first), (two, second))
    ]
    assert facts[0].sha256 == facts[1].sha256
    assert first.tested.scores == second.tested.scores


@pytest.mark.slow
def test_where_nothing_can_be_known_the_candidate_stays_one(registry):
    case, report = trained(registry, "noise", customers(knowable=False))
    assert not report.gate.decision.promote
    assert registry.champion_version(case.name) is None
    assert registry.version_of(case.name, "candidate") == report.model.version
    assert any("must be above the base rate" in reason for reason in report.gate.decision.reasons)


@pytest.mark.slow
def test_a_second_training_is_measured_against_the_champion_on_rows_that_are_new(registry):
    case, first = trained(registry, "twice")
    assert first.gate.champion == "there is none yet"
    assert first.gate.judged_rows == first.tested.rows == 3000
    last_order = registry.load(case.name, 1, case.feature_set).facts.last_order
    _, second = trained(registry, "twice", LATER)
    order = case.table(LATER.frame).order
    known = np.isin(order, case.table(customers().frame).order)
    assert known.sum() == 3000
    fresh = int(((order > last_order) & ~known).sum())
    assert 1800 < fresh < 2200
    assert second.gate.champion == f"twice/1, on {fresh} rows that it was not fitted on"
    assert second.gate.judged_rows == fresh
    assert any("twice/1's" in reason for reason in second.gate.decision.reasons)


@pytest.mark.slow
def test_a_window_is_judged_once_and_then_decides_nothing_any_more(registry):
    """Who trains on the same rows until luck lets him in finds the door closed."""
    case, first = trained(registry, "once", how=msgspec.structs.replace(HOW, gate=HARD))
    assert not first.gate.decision.promote
    for seed in (4, 5):
        _, again = trained(registry, "once", how=msgspec.structs.replace(HOW, seed=seed))
        assert again.gate.decision.reasons == (
            "no tested row is left to decide on: a gate has used all of them",
        )
        assert again.gate.judged_rows == 0
        assert again.tested.scores[-1].pr_auc.estimate > again.tested.base_rate.estimate, (
            "it is still told"
        )
    assert registry.champion_version(case.name) is None
    _, later = trained(registry, "once", LATER)
    assert later.gate.judged_rows == 6000
    assert later.gate.decision.promote
    assert registry.champion_version(case.name) == later.model.version == 4


HARD = PromotionGate(max_row_us=0.0)


@pytest.mark.slow
def test_rows_that_are_too_few_to_promote_are_left_for_a_later_gate(registry):
    """A training every six hours once used up each day's rows before they were enough."""
    few = msgspec.structs.replace(HOW, gate=PromotionGate(min_episodes=10**6))
    case, first = trained(registry, "few", how=few)
    assert not first.gate.decision.promote
    _, again = trained(registry, "few")
    assert again.gate.judged_rows == first.gate.judged_rows == 3000
    assert again.gate.decision.promote
    assert registry.champion_version(case.name) == 2


@pytest.mark.slow
def test_only_the_new_rows_decide(registry):
    """Nothing can be known of the new ones: the old ones, of which all was, do not help."""
    trained(registry, "new", how=msgspec.structs.replace(HOW, gate=HARD))
    old, new = customers().frame, customers(9000, seed=1, knowable=False).frame
    _, later = trained(registry, "new", Dataset(pl.concat([old, new[3000:]]), "mixed"))
    assert later.gate.judged_rows == 6000
    assert later.tested.scores[-1].pr_auc.low > later.tested.base_rate.estimate
    assert not later.gate.decision.promote
    assert any(
        reason.startswith("PR-AUC must be above the base rate")
        for reason in later.gate.decision.reasons
    )


@pytest.mark.slow
def test_a_champion_that_saw_all_tested_rows_cannot_be_beaten_on_them(registry):
    case, first = trained(registry, "seen")
    _, second = trained(
        registry, "seen", LATER, unseen=lambda _t, rows, _f: np.zeros(len(rows), bool)
    )
    assert second.gate.champion == "seen/1 was fitted on all remaining rows, or on later ones"
    assert second.gate.decision.reasons == (
        "no tested row is left to decide on: the champion was fitted on them",
    )
    assert registry.champion_version(case.name) == first.model.version


@pytest.mark.slow
def test_an_expired_champion_need_only_be_matched(registry):
    """The same model again: not better than a champion, as good as one that may not be used."""
    lasting, expiring = (
        Training(folds=3, resamples=200),
        Training(folds=3, resamples=200, lifetime_h=1.0),
    )
    same = {
        "candidates": one_and_the_same,
        "span_ns": lambda _table, rows: (10**18, 10**18 + len(rows)),
    }
    for name, how in (("lasting", lasting), ("expiring", expiring)):
        case, first = trained(registry, name, how=how, **same)
        facts = registry.load(case.name, 1, case.feature_set).facts
        assert first.gate.decision.promote
        # From the end of all that was tested: what the model was fitted on may end long before.
        assert facts.train_end_ns < 10**18 + first.tested.rows
        last_ns = 10**18 + first.tested.rows + 3600 * 10**9
        assert facts.expires_time_ns == (last_ns if name == "expiring" else None)
        _, second = trained(registry, name, LATER, how=how, **same)
        reasons = [
            one
            for one in second.gate.decision.reasons
            if "log loss" in one and f"{name}/1's" in one
        ]
        assert len(reasons) == 1
        assert second.gate.decision.promote == (name == "expiring")
        wanted = "must not be worse" if name == "expiring" else "must be better"
        assert reasons[0].startswith(f"log loss {wanted} than ")


def one_and_the_same(features):
    """Few numbers to learn: 3,000 rows say the same of them as 9,000 to within what is noise."""
    return (
        logistic(("charges",), repeats=1, name="charges"), logistic(features, repeats=1),
    )  # fmt: skip


@pytest.mark.slow
def test_a_champion_whose_features_these_rows_do_not_have_stays(registry):
    case, _ = trained(registry, "features")

    def narrow(frame):
        table = CUSTOMERS.table(frame)
        rows = np.arange(len(table.order))
        return dataclasses.replace(
            table, features=FEATURES[1:], x=table.columns(FEATURES[1:], rows)
        )

    _, second = trained(registry, "features", LATER, table=narrow)
    assert "uses tenure, which these rows do not have" in second.gate.champion
    assert not second.gate.decision.promote
    assert registry.champion_version(case.name) == 1


@pytest.mark.slow
def test_a_champion_of_another_feature_set_cannot_score_and_stands_in_no_way(registry):
    trained(registry, "foreign")
    case, second = trained(registry, "foreign", LATER, feature_set="customers/2")
    assert second.gate.champion.startswith("it cannot be used: ")
    assert registry.champion_version(case.name) == second.model.version


@pytest.mark.slow
def test_a_stricter_gate_keeps_a_candidate_out(registry):
    how = msgspec.structs.replace(HOW, gate=PromotionGate(min_episodes=10**6))
    case, report = trained(registry, "strict", how=how)
    assert not report.gate.decision.promote
    assert registry.champion_version(case.name) is None


def test_nothing_is_registered_when_training_fails(registry):
    def calm(table, _train):
        return Target(np.zeros(len(table.order)), {}, {})

    with pytest.raises(TooLittleDataError):
        trained(registry, "calm", target=calm)
    assert registry.versions("calm") == []


@pytest.mark.slow
def test_an_export_that_says_something_else_is_not_registered(registry):
    def forked(train, seed):
        return Forked(*fields(logistic(FEATURES).grow(train, seed)))

    with pytest.raises(ExportRefusedError):
        trained(
            registry,
            "forked",
            candidates=lambda _features: (
                logistic(("charges",), repeats=1, name="charges"),
                Candidate("forked", FEATURES, forked, 1),
            ),
        )
    assert registry.versions("forked") == []


@dataclasses.dataclass(frozen=True)
class Forked(Fitted):
    """A model whose graph is that of a slightly other one."""

    def to_onnx(self, *, median=False):
        return Fitted(*fields(self, bias=self.bias + 1e-3)).to_onnx(median=median)


def fields(fitted, **changed):
    """What a model is made of, in its order."""
    names = [field.name for field in dataclasses.fields(Fitted)]
    return [changed.get(name, getattr(fitted, name)) for name in names]


def trials_kept(home, case):
    """(candidate, how many folds have a score) of each run that MLflow has of a trial."""
    with closing(sqlite3.connect(home / "registry" / "mlflow.db")) as database:
        return database.execute(
            """
            SELECT params.value,
                (SELECT count(*) FROM metrics WHERE metrics.run_uuid = runs.run_uuid)
            FROM runs JOIN experiments USING (experiment_id) JOIN tags USING (run_uuid)
            JOIN params ON params.run_uuid = runs.run_uuid AND params.key = 'candidate'
            WHERE experiments.name = ? AND tags.key = 'kind' AND tags.value = 'trial'
            ORDER BY runs.start_time
            """,
            (case,),
        ).fetchall()


@pytest.mark.slow
def test_all_that_was_tried_in_a_search_is_kept_beside_the_model(registry, home):
    def varied(candidate, rng):
        return candidate.varied(Boosting(rounds=int(rng.integers(5, 30)), threads=1))

    how = msgspec.structs.replace(HOW, trials=2)
    _, report = trained(registry, "searched", how=how, varied=varied)
    assert [trial.candidate for trial in report.tested.trials] == [
        "charges", "logistic", "lightgbm", "lightgbm", "lightgbm",
    ]  # fmt: skip
    assert all(len(trial.selection) == 3 for trial in report.tested.trials)
    assert trials_kept(home, "searched") == [(trial.candidate, 3) for trial in report.tested.trials]


@pytest.mark.slow
def test_without_a_search_the_report_tells_enough(registry, home):
    _, report = trained(registry, "not_searched")
    assert [trial.candidate for trial in report.tested.trials] == [
        "charges",
        "logistic",
        "lightgbm",
    ]
    assert trials_kept(home, "not_searched") == []


@pytest.mark.slow
def test_a_control_is_run_beside_it_where_it_is_asked_for(registry):
    _, report = trained(registry, "control", how=msgspec.structs.replace(HOW, control=True))
    assert report.control.pr_auc.low <= report.control.base_rate.estimate
    assert report.control.over.low <= 0
    assert report.control_left_out == ""
    _, without = trained(registry, "without_control")
    assert (without.control, without.control_left_out) == (None, "not asked for")


@pytest.mark.slow
def test_the_time_of_a_row_is_measured_and_goes_before_the_gate(registry):
    how = msgspec.structs.replace(HOW, gate=PromotionGate(max_row_us=0.001))
    _, report = trained(registry, "slow", how=how)
    assert 1 < report.model.row_us < 10_000
    (reason,) = report.gate.decision.reasons
    assert reason == f"time per row must be at most 0 µs: {report.model.row_us:.0f}"


@pytest.mark.slow
def test_the_report_is_json_with_null_for_what_is_not_defined(registry):
    _, report = trained(registry, "json", judge=lambda *_: {"lead_s": float("nan")})
    report_json = msgspec.json.decode(msgspec.json.encode(report))
    assert report_json["tested"]["scores"][0]["acting"] == {"lead_s": None}
    assert report_json["tested"]["scores"][-1]["name"] == CHOSEN
    assert set(report_json["seconds"]) >= {"table", "fit", "control", "score", "register"}
    assert len(report_json["tested"]["folds"]) == 3
    assert report_json["gate"]["decision"]["promote"] is True
