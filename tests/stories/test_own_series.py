"""A series that is no market, from its source to live scores, on both logs.

Nothing but its case knows its topics, columns, step and horizon.
"""

import json
import shutil
import sys
from contextlib import closing
from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

import queues
from barograph import codec
from barograph.app import cli
from barograph.app.settings import Settings
from barograph.app.wiring import stages
from barograph.cases.cold_start import COLD_START
from barograph.errors import BadInputError
from barograph.log import browse, open_log
from barograph.pipeline.drift_watch import DriftWatch
from barograph.pipeline.live_scores import live_report
from barograph.pipeline.worker import when_idle
from barograph.registry.drift import reference_of
from barograph.registry.registry import Registry
from barograph.training import dataset, series_dataset
from barograph.types import Message, Verdict
from queues import LIVE, QUEUES

HORIZON_S, MINUTES = LIVE.horizon_s, 4000


@pytest.fixture
def log(address):
    with closing(open_log(address)) as opened:
        opened.create(queues.source_topic())
        yield opened


@pytest.fixture
def line(address, tmp_path, monkeypatch, capsys):
    """The answer of a command line of the case as JSON."""

    def answered(*words):
        command = ["barograph", *words, "--case", "queues:QUEUES", "--home", str(tmp_path)]
        if words[0] != "models" or words[1] == "show":
            command += ["--log", address]
        monkeypatch.setattr(sys, "argv", [*command, "--json"])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == 0
        return json.loads(capsys.readouterr().out)

    return answered


def words_of(log, topic, decode):
    """Of a product in their order; how products take turns depends on what a poll returns."""
    words = [decode.of(record) for record in browse.records(log, topic)]
    return sorted(words, key=lambda each: each.product)


def test_it_is_featurized_scored_trained_promoted_shadowed_and_judged(
    log, address, made_home, tmp_path, line
):
    shutil.copytree(made_home, tmp_path, dirs_exist_ok=True)
    log.append(queues.minutes(MINUTES, seed=1))
    log.append([Message(LIVE.source, "north", b"{"), Message(LIVE.source, "north", b"\xff")])
    tally = line("featurize")
    assert (tally["values"], tally["dead_letters"]) == (2 * MINUTES, 2)
    assert line("score")["values"] == 2 * MINUTES
    before_there_is_a_model(log)
    made = line("dataset")
    assert (made["rows"], made["horizon_s"], made["events"]) == (
        2 * MINUTES, HORIZON_S, {"record": 2 * MINUTES + 2},
    )  # fmt: skip
    the_dataset_is_what_the_topics_say(log, tmp_path)
    trained = line("train", "--no-control", "--folds", "2")
    assert trained["model"]["chosen"] == "logistic"
    assert trained["gate"]["decision"]["promote"], trained["gate"]["decision"]["reasons"]

    watch = DriftWatch(log, LIVE, Registry(tmp_path), "queues")
    watch.look()
    log.append(queues.minutes(1500, seed=2, start=MINUTES))
    # Another version, which came before these rows: it shadows the champion on them.
    registry = Registry(tmp_path)
    champion = registry.load("queues", 1, queues.FEATURE_SET)
    facts = msgspec.structs.replace(champion.facts, created_time_ns=0, threshold=0.9)
    [graph] = tmp_path.glob("registry/artifacts/*/artifacts/model.onnx")
    second = registry.register("queues", graph.read_bytes(), facts)
    registry.set_alias("queues", "candidate", second)
    running = stages(Settings(home=tmp_path), address, QUEUES, pytest.fail)
    running.featurize(when_idle)
    running.score(when_idle)
    running.shadow(when_idle)
    predictions = words_of(log, LIVE.predictions, codec.decode_prediction)
    assert {each.model for each in predictions} == {COLD_START, "queues/1"}
    shown = line("models", "show", "1", "--hours", "48")["live"]
    it_fared_as_its_topic_says(predictions, shown["scored"])
    assert shown["paired"]["rows"] == shown["scored"]["rows"] > 2000
    assert shown["paired"]["log_loss"]["estimate"] == 0.0
    its_drift_is_watched_against_what_it_was_trained_on(watch, registry)


def its_drift_is_watched_against_what_it_was_trained_on(watch, registry):
    reference = reference_of(registry, "queues", 1)
    facts = registry.facts("queues", 1)
    assert (reference.start_ns, reference.end_ns) == (facts.train_start_ns, facts.train_end_ns)
    assert all(of.calibration is not None for of in reference.keys.values())
    watch.look()
    for queue in ("north", "south"):
        of = watch.windows.keys[queue]
        assert of.findings
        assert of.calibration, "forecasts matured in the last window"
    assert watch.measures()["drift_alarm"] in {0.0, 1.0}


def before_there_is_a_model(log):
    rows = words_of(log, LIVE.rows, codec.decode_row)
    predictions = words_of(log, LIVE.predictions, codec.decode_prediction)
    assert [(each.product, each.second) for each in predictions] == [
        (row.product, row.second) for row in rows
    ]
    assert {each.model for each in predictions} == {COLD_START}
    assert {each.horizon_s for each in predictions} == {HORIZON_S}
    assert {each.mid for each in predictions} == {None}
    assert [each.value_now for each in predictions] == [row.values[0] for row in rows]
    verdicts = {each.verdict for each in predictions}
    assert verdicts == {Verdict.NO_MODEL, Verdict.PREDICTED}


def the_dataset_is_what_the_topics_say(log, home):
    frame = pl.read_parquet(dataset.paths(home, QUEUES)[0])
    rows = {(row.product, row.second): row for row in words_of(log, LIVE.rows, codec.decode_row)}
    assert len(frame) == len(rows)
    for entry in frame.iter_rows(named=True):
        row = rows[entry["product"], entry["second"]]
        assert [entry[name] for name in LIVE.columns] == row.values
        later = rows.get((row.product, row.second + HORIZON_S))
        assert entry["outcome"] == (None if later is None else later.values[0])


def it_fared_as_its_topic_says(predictions, scored):
    value_of = {(each.product, each.second): each.value_now for each in predictions}
    truth, known = [], 0
    for each in predictions:
        came = value_of.get((each.product, each.second + HORIZON_S))
        if each.model == "queues/1" and each.probability is not None and came is not None:
            truth.append(came >= each.tau)
            known += 1
    assert scored["rows"] == known
    assert scored["base_rate"]["estimate"] == pytest.approx(np.mean(truth))
    assert scored["pr_auc"]["estimate"] > 0.8


def test_it_is_due_by_what_its_log_took(log, made_home, tmp_path, line):
    shutil.copytree(made_home, tmp_path, dirs_exist_ok=True)
    assert line("train", "--if-due")["why"] == "there is nothing to train on yet"
    log.append(queues.minutes(2500, seed=3))
    trained = line("train", "--if-due", "--no-control", "--folds", "2")
    assert trained["model"]["version"] == 1
    assert "no new data" in line("train", "--if-due")["why"]


def test_another_horizon_stands_on_the_same_rows(log, address, tmp_path):
    """A case that looks less far ahead has no machine: it takes the rows that are there."""
    sooner = replace(
        QUEUES, name="sooner",
        live=replace(
            LIVE, machine=None, horizon_s=300, group_prefix="sooner-",
            predictions="sooner.predictions", shadow="sooner.shadow",
        ),
    )  # fmt: skip
    log.append(queues.minutes(100, seed=4))
    settings = Settings(home=tmp_path)
    stages(settings, address, QUEUES, pytest.fail).featurize(when_idle)
    running = stages(settings, address, sooner, pytest.fail)
    with pytest.raises(BadInputError, match=r"another case makes these rows"):
        running.featurize(when_idle)
    assert running.score(when_idle).values == 200
    assert {
        each.horizon_s for each in words_of(log, "sooner.predictions", codec.decode_prediction)
    } == {300}
    made = series_dataset.build(log, tmp_path, sooner)
    of_source = series_dataset.build(log, tmp_path, QUEUES)
    assert (made.rows, made.data_hash) == (of_source.rows, of_source.data_hash)
    assert made.products["north"].labelled == 95
    report = live_report(log, sooner.live, COLD_START, standing={}, hours=24, trained_ns=0)
    assert report.scored.verdicts == {"NO_MODEL": 200}
