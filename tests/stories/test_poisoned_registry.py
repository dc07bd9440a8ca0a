"""A registry that somebody tampered with: no poison is taken, and the champion goes on."""

import dataclasses
import pickle
import shutil
import sqlite3
import sys
import time
from contextlib import closing

import pytest

from barograph import codec
from barograph.app import cli
from barograph.app.settings import Settings
from barograph.app.wiring import stages
from barograph.cases.market import MARKET
from barograph.cases.spikes import SPIKES
from barograph.errors import BarographError, RegistryError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, SHADOW, ensure_topics
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.threads import Pipeline
from barograph.registry.model import sha256_of
from barograph.registry.registry import Registry
from barograph.training.train import train
from customers import CUSTOMERS, customers
from log_contents import total, values
from quick_training import HOW
from registered_models import facts_of, graph
from second_ticks import ticks
from waiting import until

pytestmark = pytest.mark.operations

PICKLE = pickle.dumps({"weights": [1.0]})


def changed(registry):
    onnx = artifact(registry, "model.onnx")
    onnx.write_bytes(graph(bias=9.0))


def truncated(registry):
    onnx = artifact(registry, "model.onnx")
    onnx.write_bytes(onnx.read_bytes()[:-20])


def pickled(registry):
    artifact(registry, "model.onnx").write_bytes(PICKLE)


def removed(registry):
    artifact(registry, "model.onnx").unlink()


def edited(registry):
    facts = artifact(registry, "facts.json")
    facts.write_bytes(facts.read_bytes().replace(b'"threshold":0.4', b'"threshold":0.1'))


def forged(registry):
    """A pickle, of which facts and database say that it is what was registered."""
    facts = artifact(registry, "facts.json")
    pickled(registry)
    facts_json = facts.read_bytes().replace(
        sha256_of(graph(1.0)).encode(), sha256_of(PICKLE).encode()
    )
    facts.write_bytes(facts_json)
    with closing(sqlite3.connect(registry._store._database)) as database, database:
        for key, value in (("onnx", sha256_of(PICKLE)), ("facts", sha256_of(facts_json))):
            database.execute(
                "UPDATE model_version_tags SET value = ? WHERE key = ? AND version = 2",
                (value, f"{key}_sha256"),
            )


def foreign(registry):
    """A sound model of other features takes the place of the second: nothing is damaged."""
    onnx = graph()
    registry.register("spikes", onnx, facts_of(onnx, feature_set="0123456789abcdef"))


POISONS = {
    changed: (2, "its model.onnx is not what was registered"),
    truncated: (2, "its model.onnx is not what was registered"),
    pickled: (2, "its model.onnx is not what was registered"),
    removed: (2, "cannot be read"),
    edited: (2, "its facts.json is not what was registered"),
    forged: (2, "not a valid ONNX graph"),
    foreign: (3, "was made with feature set 0123456789abcdef"),
}


def artifact(registry, name, version=2):
    return registry._store.artifacts(registry.versions("spikes")[version - 1].run_id) / name


def crowned_by_force(registry, alias, version):
    """What `models promote` refuses, done with the database in hand."""
    with registry._store.writing("spikes") as writer:
        writer.point("spikes", alias, version)


@pytest.fixture
def registry(made_home, tmp_path):
    registry = Registry(shutil.copytree(made_home, tmp_path / "home"))
    for bias in (0.0, 1.0):
        onnx = graph(bias)
        registry.register("spikes", onnx, facts_of(onnx))
    registry.promote("spikes", 1, "the first")
    return registry


@pytest.mark.parametrize(("poison", "answer"), POISONS.items(), ids=[p.__name__ for p in POISONS])
def test_poison_is_refused_and_a_running_scorer_keeps_its_champion(
    registry, poison, answer, tmp_path, monkeypatch, capsys
):
    version, why = answer
    home = tmp_path / "home"
    poison(registry)
    with pytest.raises(BarographError, match=why):
        registry.load("spikes", version, FEATURE_SET_HASH)
    words = ["barograph", "models", "promote", str(version), "--home", str(home)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        cli.main()
    captured = capsys.readouterr()
    assert (left.value.code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert why in captured.err
    assert registry.champion_version("spikes") == 1
    assert [entry.version for entry in registry.history("spikes")] == [1]
    the_running_ones_keep_theirs(registry, version, why, home)


def the_running_ones_keep_theirs(registry, version, why, home):
    warned = []
    settings = Settings(home=home, model_refresh_s=0.01)
    with closing(open_log(home)) as log:
        ensure_topics(log)
        with Pipeline(stages(settings, home, SPIKES, warned.append)):
            log.append(ticks(200))
            until(lambda: total(log, PREDICTIONS) == 199)
            assert warned == []
            crowned_by_force(registry, "candidate", version)
            until(lambda: len(warned) == 1)
            crowned_by_force(registry, "champion", version)
            until(lambda: len(warned) == 2)
            log.append(ticks(200, 200))
            until(lambda: total(log, PREDICTIONS) == 399)
        predictions = [codec.decode_prediction(value) for value in of_product(log, PREDICTIONS)]
        rows = [codec.decode_row(value) for value in of_product(log, FEATURES)]
        assert total(log, SHADOW) == 0
    champion = Scorer(MARKET, registry.load("spikes", 1, FEATURE_SET_HASH))
    # exact: rows are scored one at a time, live and here
    assert predictions == [champion.predict(row) for row in rows]
    assert {each.model for each in predictions} == {"spikes/1"}
    shadows, stays = warned
    assert why in shadows
    assert shadows.endswith("Nothing shadows the champion meanwhile.")
    assert why in stays
    assert stays.endswith("The present model stays.")


def of_product(log, topic):
    """The values of the one product that there is."""
    return [value for records in values(log, topic).values() for _, value in records]


@pytest.fixture(scope="module")
def trained(made_home, tmp_path_factory):
    """A registry whose case has a champion that a training made."""
    registry = Registry(shutil.copytree(made_home, tmp_path_factory.mktemp("trained") / "home"))
    report = train(CUSTOMERS, customers(), registry, HOW, clock_ns=time.time_ns)
    assert report.gate.decision.promote, report.gate.decision.reasons
    return registry


def test_a_training_beside_a_poisoned_champion_goes_on_and_says_so(trained):
    case = dataclasses.replace(CUSTOMERS)
    (version,) = trained.versions(case.name)
    onnx = trained._store.artifacts(version.run_id) / "model.onnx"
    sound = onnx.read_bytes()
    onnx.write_bytes(PICKLE)
    try:
        report = train(case, customers(9000, seed=1), trained, HOW, clock_ns=time.time_ns)
    finally:
        onnx.write_bytes(sound)
    assert report.gate.champion.startswith(
        f"it cannot be used: model {case.name}/1: its model.onnx"
    )
    assert report.model.version == 2


@pytest.mark.parametrize("poison", [b"[]", b"nonsense", None])
def test_who_hides_from_the_gate_what_it_has_seen_stops_all_training_and_nothing_else(
    trained, poison
):
    """Rows that a gate decided on may not decide again; an empty list would let them."""
    case = CUSTOMERS
    before = len(trained.versions(case.name)), trained.champion_version(case.name)
    judged = trained._store.artifacts(trained.versions(case.name)[0].run_id) / "judged.json"
    sound = judged.read_bytes()
    judged.unlink() if poison is None else judged.write_bytes(poison)
    try:
        with pytest.raises(RegistryError, match=r"judged\.json .*backup"):
            train(case, customers(), trained, HOW, clock_ns=time.time_ns)
    finally:
        judged.write_bytes(sound)
    assert (len(trained.versions(case.name)), trained.champion_version(case.name)) == before
    assert trained.judged(case.name)
