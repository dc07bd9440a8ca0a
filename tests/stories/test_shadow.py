"""A candidate beside the champion on a live market: what it says, how both fare, and its end."""

import json
import shutil
import sys
import time
from contextlib import closing

import msgspec
import numpy as np
import pytest

from barograph import codec
from barograph.app import cli
from barograph.app.settings import Settings
from barograph.app.wiring import stages
from barograph.cases.cold_start import COLD_START
from barograph.cases.market import MARKET
from barograph.cases.spikes import SPIKES
from barograph.evaluation import scores
from barograph.evaluation.labels import later
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.feed.feed import Feed
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, SHADOW
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.threads import Pipeline
from barograph.registry.model import ModelFacts, sha256_of
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import Verdict
from barograph.venues.entries import Dialect, Heard, Opening
from live_scoring import scores_of
from log_consumer import contents
from registered_models import graph

PRODUCTS = ("BTC-USD", "ETH-USD", "NEW-USD")
TAU = {"BTC-USD": 2e-5, "ETH-USD": 3e-5}
"""NEW-USD is known to no model: the baseline alone speaks of it."""


def registered(registry, bias, **changes):
    """A version that calls a minute a spike the sooner the greater the bias."""
    onnx = graph(bias)
    facts = ModelFacts(
        case="spikes", candidate="har_logistic",
        features=("realized_vol_10s", "realized_vol_60s"), feature_set=FEATURE_SET_HASH,
        tau=TAU, threshold=0.4, horizon_s=60, train_start_ns=0, train_end_ns=1, data_hash="d",
        seed=7, sha256=sha256_of(onnx), scores={}, created_time_ns=time.time_ns(),
    )  # fmt: skip
    return registry.register("spikes", onnx, msgspec.structs.replace(facts, **changes))


class Market:
    """A simulated market and the feed that hears it."""

    def __init__(self, feed):
        self.market = SimulatedMarket(PRESETS["market"], PRODUCTS, 5, 1_750_000_000 * 10**9)
        self.feed = feed
        self.feed.take(Opening(connection="simulated", dialect=Dialect.EXCHANGE))

    def goes_on(self, minutes):
        for _ in range(minutes):
            for frame in self.market.advance(60):
                self.feed.take(Heard(frame, Dialect.EXCHANGE))
            self.feed.commit()


class Snapshot:
    """What a log holds by now: rows and predictions, by product, as words and as bytes."""

    def __init__(self, log):
        self.rows = decoded(log, FEATURES, codec.decode_row)
        self.scored = decoded(log, PREDICTIONS, codec.decode_prediction)
        self.shadowed = decoded(log, SHADOW, codec.decode_prediction)
        self.shadow_bytes = decoded(log, SHADOW, bytes)


def decoded(log, topic, decode):
    of = {product: [] for product in PRODUCTS}
    for extent in log.extents(topic):
        for record in contents(log, topic, extent.partition, 10_000):
            of[record.key].append(decode(record.value))
    return of


def test_a_candidate_shadows_the_champion_until_it_is_promoted(
    address, made_home, tmp_path, monkeypatch, capsys
):
    registry = Registry(shutil.copytree(made_home, tmp_path, dirs_exist_ok=True))
    registry.promote("spikes", registered(registry, -3.0), "the first")
    with closing(open_log(address)) as log, closing(Feed(log, tmp_path / "archive")) as feed:
        market = Market(feed)

        def snapshot_after(minutes):
            with Pipeline(stages(Settings(home=tmp_path), address, SPIKES, pytest.fail)) as running:
                market.goes_on(minutes)
            assert running.shadowed.records == running.scored.records > 0
            return Snapshot(log)

        before = snapshot_after(8)
        assert not any(before.shadowed.values())
        registry.set_alias("spikes", "candidate", registered(registry, 0.5))
        beside = snapshot_after(30)
        it_said_what_the_candidate_says_of_what_came_since(before, beside, registry)
        both_fared_as_the_labels_of_the_dataset_say(log, beside)
        the_command_line_shows_them(beside, address, tmp_path, monkeypatch, capsys)
        registry.promote("spikes", 2, "better")
        after = snapshot_after(2)
        assert after.shadow_bytes == beside.shadow_bytes
        latest = [after.scored[product][-1].model for product in PRODUCTS]
        assert latest == ["spikes/2", "spikes/2", COLD_START]


def it_said_what_the_candidate_says_of_what_came_since(before, beside, registry):
    candidate = Scorer(MARKET, registry.load("spikes", 2, FEATURE_SET_HASH))
    for product in PRODUCTS:
        new = beside.rows[product][len(before.rows[product]) :]
        expected = [codec.encode(candidate.predict(row)) for row in new]
        assert beside.shadow_bytes[product] == (expected if product in TAU else [])
        assert len(new) > 1500


def both_fared_as_the_labels_of_the_dataset_say(log, snapshot):
    for topic, predictions, label in (
        (PREDICTIONS, snapshot.scored, "spikes/1"), (SHADOW, snapshot.shadowed, "spikes/2")
    ):  # fmt: skip
        judged = scores_of(log, topic)
        assert label in judged
        truth, probability = matured_by(snapshot.rows, predictions)
        assert 0.05 < truth.mean() < 0.95
        assert judged[label].rows == len(truth) > 3000
        for score in (scores.base_rate, scores.pr_auc, scores.brier, scores.log_loss):
            assert getattr(judged[label], score.name).estimate == pytest.approx(
                score(truth, probability), rel=1e-12
            )
    assert scores_of(log, SHADOW).keys() == {"spikes/2"}


def matured_by(rows, predictions, since=0):
    """(truth, probability) of the predictions from a second on, by the labels of feature rows."""
    truth, probability = [], []
    for product, tau in TAU.items():
        label_of = labels_of(rows[product])
        for each in predictions[product]:
            label = label_of[each.second]
            if each.second >= since and each.verdict is Verdict.PREDICTED and not np.isnan(label):
                truth.append(float(label >= tau))
                probability.append(each.probability)
    return np.array(truth), np.array(probability)


def log_loss_of(snapshot, predictions):
    """On what both of them saw."""
    since = min(each.second for of in snapshot.shadowed.values() for each in of)
    return scores.log_loss(*matured_by(snapshot.rows, predictions, since))


def labels_of(rows):
    second = np.array([row.second for row in rows])
    place = MARKET.places[MARKET.value_now]
    vol = np.array([np.nan if row.values[place] is None else row.values[place] for row in rows])
    return dict(zip(second.tolist(), later(second, vol, horizon_s=60), strict=True))


def the_command_line_shows_them(snapshot, address, home, monkeypatch, capsys):
    def shown(version, *words):
        command = ["barograph", "models", "show", version, "--home", home, "--log", address, *words]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code
        return capsys.readouterr().out

    page = json.loads(shown("candidate", "--json"))
    assert page["facts"]["candidate"] == "har_logistic"
    live = page["live"]
    assert live["scored"] is None
    assert live["shadowed"]["model"] == "spikes/2"
    # The champion began before it, and both know the same products.
    assert live["paired"]["rows"] == live["shadowed"]["rows"] > 3000
    assert live["paired"]["log_loss"]["estimate"] == pytest.approx(
        log_loss_of(snapshot, snapshot.shadowed) - log_loss_of(snapshot, snapshot.scored), rel=1e-9
    )
    champion = json.loads(shown("champion", "--json"))["live"]
    assert champion["paired"] == live["paired"]
    assert champion["scored"]["rows"] > live["shadowed"]["rows"]
    assert "spikes/2 minus spikes/1 on" in shown("champion")
