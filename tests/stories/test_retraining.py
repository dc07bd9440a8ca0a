"""The life of a model: trained when it is due, champion, expired, and taken back to the byte."""

import json
import os
import shutil
import signal
import time
from contextlib import closing

import pytest

from barograph import codec
from barograph.app.settings import Settings
from barograph.app.wiring import stages
from barograph.cases.market import MARKET
from barograph.cases.spikes import SPIKES
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.feed.feed import Feed
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, ensure_topics
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.threads import Pipeline
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S, Verdict
from barograph.venues.entries import Dialect, Heard, Opening
from log_contents import total, values
from registered_models import facts_of, graph
from second_ticks import ticks
from verb_processes import Life
from waiting import until

MINUTES = 100
QUICK = {"BAROGRAPH_FOLDS": "2"}
LIMIT_S = 400.0


def of_product(log, topic):
    """The values of the one product that there is."""
    return [value for records in values(log, topic).values() for _, value in records]


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A home whose archive holds a market of the last hour, up to now."""
    home = tmp_path_factory.mktemp("history")
    with closing(open_log(home)) as log, closing(Feed(log, home / "archive")) as feed:
        start_ns = (int(time.time()) - MINUTES * 60) * NS_PER_S
        market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 5, start_ns)
        feed.take(Opening(connection="simulated", dialect=Dialect.EXCHANGE))
        for _ in range(MINUTES):
            for frame in market.advance(60):
                feed.take(Heard(frame, Dialect.EXCHANGE))
            feed.commit()
    return home


@pytest.fixture
def home(history, made_home, tmp_path):
    shutil.copytree(history, tmp_path / "home")
    shutil.copytree(made_home / "registry", tmp_path / "home" / "registry")
    return tmp_path / "home"


@pytest.mark.operations
def test_two_that_are_due_at_once_train_once(home):
    words = ("train", "--if-due", "--split", "walk-forward", "--no-control", "--json")
    both = [Life(*words, "--home", home, **QUICK) for _ in range(2)]
    answers = [json.loads(life.answer(LIMIT_S)) for life in both]
    (report,) = [answer for answer in answers if "model" in answer]
    (other,) = [answer for answer in answers if "model" not in answer]
    assert report["model"]["version"] == 1
    assert other["why"].startswith(("another training of spikes", "there is no new data since"))
    assert [version.version for version in Registry(home).versions("spikes")] == [1]
    manifest = json.loads((home / "datasets" / "spikes.json").read_bytes())
    assert manifest["rows"] > MINUTES * 60 - 10
    later = json.loads(Life(*words, "--home", home, **QUICK).answer())
    assert (later["due"], "there is no new data since" in later["why"]) == (False, True)


@pytest.mark.operations
def test_what_runs_live_trains_by_itself_and_predicts_meanwhile(home):
    up = Life(
        "up", "--venue", "simulated", "--products", "BTC-USD", "--home", home, "--json", **QUICK
    )
    until(lambda: b"trained spikes/1" in up.warned() or not up.is_alive(), LIMIT_S, 0.5)
    os.kill(up.pid, signal.SIGINT)
    code, out, err = up.end()
    answer = json.loads(out)
    assert code == 0, err.decode()
    (line,) = answer["trained"]
    assert line.startswith("spikes/1 (")
    assert f"trained {line}" in err.decode()
    assert answer["seen"]["predictions"] > 20
    assert [version.version for version in Registry(home).versions("spikes")] == [1]


@pytest.fixture
def registry(made_home, tmp_path):
    return Registry(shutil.copytree(made_home, tmp_path / "home"))


def register(registry, bias, **changes):
    onnx = graph(bias)
    return registry.register("spikes", onnx, facts_of(onnx, **changes))


def test_a_rollback_restores_predictions_to_the_byte(registry, tmp_path):
    """Before, with another champion, and after: the same ticks in three logs."""
    settings = Settings(home=tmp_path / "home")
    phases = []
    for n, act in enumerate((
        lambda: registry.promote("spikes", register(registry, -3.0), "the first"),
        lambda: registry.promote("spikes", register(registry, 0.5), "better, they said"),
        lambda: registry.rollback("spikes", "it was not"),
    )):  # fmt: skip
        act()
        with closing(open_log(tmp_path / f"log {n}")) as log:
            ensure_topics(log)
            with Pipeline(stages(settings, tmp_path / f"log {n}", SPIKES, pytest.fail)):
                log.append(ticks(400))
            phases.append(of_product(log, PREDICTIONS))
    before, meanwhile, after = phases
    assert len(before) == 399
    assert before == after
    assert b"".join(before) != b"".join(meanwhile)
    assert [(e.action, e.version, e.previous, e.reason) for e in registry.history("spikes")] == [
        ("promote", 1, None, "the first"),
        ("promote", 2, 1, "better, they said"),
        ("rollback", 1, 2, "it was not"),
    ]


def test_who_is_at_work_takes_up_a_rollback_between_two_records(registry, tmp_path):
    home = tmp_path / "home"
    models = [register(registry, bias) for bias in (-3.0, 0.5)]
    registry.promote("spikes", models[0], "the first")
    with closing(open_log(home)) as log:
        ensure_topics(log)

        def tick_until_it_speaks(label, start):
            """A second at a time, as they come live."""
            for second in range(start, start + 2000):
                log.append(ticks(1, second))
                until(lambda second=second: total(log, PREDICTIONS) == second)
                if codec.decode_prediction(of_product(log, PREDICTIONS)[-1]).model == label:
                    return second + 1
            pytest.fail(f"{label} never spoke")

        with Pipeline(stages(Settings(home=home, model_refresh_s=0.05), home, SPIKES, pytest.fail)):
            log.append(ticks(100))
            until(lambda: total(log, PREDICTIONS) == 99)
            registry.promote("spikes", models[1], "better, they said")
            second = tick_until_it_speaks("spikes/2", 100)
            registry.rollback("spikes")
            tick_until_it_speaks("spikes/1", second)
        predictions = of_product(log, PREDICTIONS)
        rows = [codec.decode_row(value) for value in of_product(log, FEATURES)]
    scorers = {
        f"spikes/{n}": Scorer(MARKET, registry.load("spikes", n, FEATURE_SET_HASH)) for n in models
    }
    speakers = [codec.decode_prediction(value).model for value in predictions]
    assert predictions == [
        codec.encode(scorers[model].predict(row)) for model, row in zip(speakers, rows, strict=True)
    ]
    changes = [
        model for model, before in zip(speakers[1:], speakers, strict=False) if model != before
    ]
    assert changes == ["spikes/2", "spikes/1"]


def test_an_expired_champion_is_silent_by_event_time_until_another_takes_over(registry, tmp_path):
    """The ticks are of 2023: what counts is when they were, and not when they are scored."""
    home, start_s = tmp_path / "home", 1_700_000_000
    end_ns = (start_s + 200) * NS_PER_S
    registry.promote("spikes", register(registry, 0.0, expires_time_ns=end_ns), "the first")
    with closing(open_log(home)) as log:
        ensure_topics(log)
        with Pipeline(stages(Settings(home=home, model_refresh_s=0.05), home, SPIKES, pytest.fail)):
            log.append(ticks(300))
            until(lambda: total(log, PREDICTIONS) == 299)
            registry.promote("spikes", register(registry, 0.0), "trained again")
        with Pipeline(stages(Settings(home=home), home, SPIKES, pytest.fail)):
            log.append(ticks(100, 300))
        predictions = [codec.decode_prediction(value) for value in of_product(log, PREDICTIONS)]
    expired = [each for each in predictions if each.verdict is Verdict.MODEL_EXPIRED]
    assert {each.model for each in expired} == {"spikes/1"}
    assert [each.event_time_ns for each in expired] == [
        end_ns + second * NS_PER_S for second in range(1, len(expired) + 1)
    ]
    assert all(each.probability is None for each in expired)
    assert len(expired) == 99
    assert [each.verdict for each in predictions[-100:]] == [Verdict.PREDICTED] * 100
    assert {each.model for each in predictions[-100:]} == {"spikes/2"}
