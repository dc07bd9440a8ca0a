import dataclasses
import time

import msgspec
import numpy as np
import pytest

from barograph.candidates import Candidate, logistic, persistence
from barograph.case import Target
from barograph.errors import ExportRefusedError, TooLittleDataError
from barograph.promotion import Gate
from barograph.registry import Registry
from barograph.train import Training, train
from barograph.walkforward import CHOSEN
from customers import CUSTOMERS, FEATURES, customers

HOW = Training(folds=3, resamples=200, seed=3)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """One registry for all: making its database takes seconds. Tests take a case name each."""
    return Registry(tmp_path_factory.mktemp("home"))


def trained(registry, name, dataset=None, how=HOW, **changed):
    case = dataclasses.replace(CUSTOMERS, name=name, **changed)
    dataset = dataset or customers()
    return case, train(case, dataset, registry, how, clock_ns=time.time_ns)


def test_a_case_without_time_is_trained_tested_and_promoted_by_the_same_job(registry):
    case, report = trained(registry, "promoted")
    assert report.decision.promote
    assert registry.champion_version(case.name) == report.version == 1
    assert registry.version_of(case.name, "candidate") == 1
    (entry,) = registry.history(case.name)
    assert entry.reason == "; ".join(report.decision.reasons)
    assert report.episodes == int(customers().frame["left"].sum())


def test_the_registered_model_is_the_one_that_was_tested(registry):
    case, report = trained(registry, "as_tested")
    model = registry.load(case.name, report.version, case.feature_set)
    table = case.table(customers().frame)
    test = case.split(table, 3)[-1].test
    said = model.onnx.predict(table.columns(model.facts.features, test))
    y = table.outcome[test]
    brier = model.facts.scores["last_fold"]["brier"]
    assert np.mean((said - y) ** 2) == pytest.approx(brier, abs=1e-6)
    assert report.folds[-1].chosen == report.chosen == model.facts.candidate


def test_a_version_carries_all_that_is_known_of_it(registry):
    case, report = trained(registry, "facts", target=in_euros)
    facts = registry.load(case.name, report.version, case.feature_set).facts
    assert (facts.case, facts.feature_set) == ("facts", "customers/1")
    assert (facts.data_hash, facts.seed) == ("customers 3000 0", 3)
    assert facts.tau == {"customer": 1.0} == report.tau
    assert facts.threshold == report.threshold == report.folds[-1].thresholds[report.chosen]
    assert {"persistence", "logistic", "lightgbm", CHOSEN, "last_fold"} == set(facts.scores)
    assert facts.scores[CHOSEN]["base_rate"] == report.base_rate.estimate
    assert facts.scores[CHOSEN]["recall"] == report.rows[-1].acting["recall"]
    (version,) = registry.versions(case.name)
    assert version.tags["data_hash"] == "customers 3000 0"


def in_euros(table, _train):
    return Target(table.outcome, {"customer": 1.0}, {})


def test_the_same_dataset_and_seed_give_the_same_model_bytes(registry):
    (one, first), (two, second) = (trained(registry, name) for name in ("again_1", "again_2"))
    facts = [
        registry.load(case.name, report.version, case.feature_set).facts
        for case, report in ((one, first), (two, second))
    ]
    assert facts[0].sha256 == facts[1].sha256
    assert first.rows == second.rows


def test_where_nothing_can_be_known_the_candidate_stays_one(registry):
    case, report = trained(registry, "noise", customers(knowable=False))
    assert not report.decision.promote
    assert registry.champion_version(case.name) is None
    assert registry.version_of(case.name, "candidate") == report.version
    assert any("must lie above 0" in reason for reason in report.decision.reasons)


def test_a_second_training_is_measured_against_the_champion(registry):
    case, first = trained(registry, "twice")
    assert first.champion == "there is none yet"
    last_order = registry.load(case.name, 1, case.feature_set).facts.last_order
    later = customers(9000, seed=1)
    _, second = trained(registry, "twice", later)
    unseen = int((case.table(later.frame).order > last_order).sum())
    assert 2800 < unseen < 3200
    assert second.champion == f"twice/1, on {unseen} rows that it never saw"
    assert second.decision.promote
    assert any("the champion's" in reason for reason in second.decision.reasons)
    assert registry.champion_version(case.name) == 2


def test_a_champion_that_saw_all_tested_rows_cannot_be_beaten_on_them(registry):
    case, first = trained(registry, "seen")
    _, second = trained(registry, "seen", unseen=lambda _t, rows, _f: np.zeros(len(rows), bool))
    assert second.champion == "seen/1 was fitted on all tested rows or on later ones"
    assert not second.decision.promote
    assert registry.champion_version(case.name) == first.version


def test_a_champion_whose_features_these_rows_do_not_have_stays(registry):
    case, _ = trained(registry, "features")

    def narrow(frame):
        table = CUSTOMERS.table(frame)
        rows = np.arange(len(table.order))
        return dataclasses.replace(
            table, features=FEATURES[1:], x=table.columns(FEATURES[1:], rows)
        )

    _, second = trained(registry, "features", table=narrow)
    assert "uses tenure, which these rows do not have" in second.champion
    assert not second.decision.promote
    assert registry.champion_version(case.name) == 1


def test_a_champion_of_another_feature_set_cannot_score_and_stands_in_no_way(registry):
    trained(registry, "foreign")
    case, second = trained(registry, "foreign", feature_set="customers/2")
    assert second.champion.startswith("it cannot be used: ")
    assert registry.champion_version(case.name) == second.version


def test_a_stricter_gate_keeps_a_candidate_out(registry):
    how = msgspec.structs.replace(HOW, gate=Gate(min_episodes=10**6))
    case, report = trained(registry, "strict", how=how)
    assert not report.decision.promote
    assert registry.champion_version(case.name) is None


def test_nothing_is_registered_when_training_fails(registry):
    def calm(table, _train):
        return Target(np.zeros(len(table.order)), {}, {})

    with pytest.raises(TooLittleDataError):
        trained(registry, "calm", target=calm)
    assert registry.versions("calm") == []


def test_an_export_that_says_something_else_is_not_registered(registry):
    learned = logistic(FEATURES).learn

    def forked(name, features, slices, seed):
        fitted = learned(name, features, slices, seed)
        return Forked(fitted)

    with pytest.raises(ExportRefusedError):
        trained(
            registry,
            "forked",
            candidates=lambda _features: (
                persistence("charges"),
                Candidate("forked", FEATURES, forked),
            ),
        )
    assert registry.versions("forked") == []


@dataclasses.dataclass
class Forked:
    """A model whose graph is that of a slightly other one."""

    told: object
    name: str = "forked"
    features: tuple = FEATURES

    def predict(self, x):
        return self.told.predict(x)

    def to_onnx(self):
        return dataclasses.replace(self.told, bias=self.told.bias + 1e-3).to_onnx()


def test_the_report_is_json_with_null_for_what_is_not_defined(registry):
    _, report = trained(registry, "json", judge=lambda *_: {"lead_s": float("nan")})
    told = msgspec.json.decode(msgspec.json.encode(report))
    assert told["rows"][0]["acting"] == {"lead_s": None}
    assert told["rows"][-1]["name"] == CHOSEN
    assert set(told["seconds"]) == {"table", "fit", "score", "register"}
    assert len(told["folds"]) == 3
    assert told["decision"]["promote"] is True
