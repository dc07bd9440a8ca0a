"""The wiring: both stages finish what the feed wrote, and a champion is taken up while they run."""

import threading

import pytest

from barograph import codec
from barograph.errors import ForeignFeaturesError, RegistryError
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS, ensure_topics
from barograph.pipeline import Champion, Pipeline, feed_through, stages
from barograph.scorer import COLD_START, Scorer
from barograph.settings import Settings
from barograph.types import Message, Tick

NS = 10**9


def ticks(n, start=0):
    for second in range(start, start + n):
        price = f"{100 + second % 7}.5"
        time_ns = (1_700_000_000 + second) * NS
        tick = Tick(product="BTC-USD", event_time_ns=time_ns, price=price, bid=price, ask=price)
        yield Message(TICKS, "BTC-USD", codec.encode(tick))


def total(log, topic):
    return sum(extent.next - extent.oldest for extent in log.extents(topic))


@pytest.mark.parametrize("live", [True, False])
def test_what_the_feed_wrote_last_is_still_scored(tmp_path, live):
    log = open_log(tmp_path)
    ensure_topics(log)
    settings = Settings(home=tmp_path)
    for part in range(3):
        running = Pipeline(stages(settings, tmp_path, pytest.fail))
        feed_through(running, lambda part=part: log.append(ticks(300, part * 300)), live=live)
        assert running.scored.values == running.featurized.values
    assert total(log, FEATURES) == total(log, PREDICTIONS) == 899
    log.close()


def test_a_worker_that_dies_is_heard_at_the_door(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    log.append(ticks(20))
    settings = Settings(home=tmp_path)
    with Pipeline(stages(settings, tmp_path, pytest.fail)):
        pass
    member = log.join("featurizer", [TICKS])
    while not (assigned := member.poll(1, 0.1).assigned):
        pass
    place = next(place for place, saved in assigned.items() if saved)
    member.commit(checkpoints={place: {"BTC-USD": b"of another feature set"}})
    member.leave()
    with pytest.raises(ForeignFeaturesError), Pipeline(stages(settings, tmp_path, pytest.fail)):
        log.append(ticks(20, 20))
    log.close()


class Versions:
    """A registry's part that a Champion uses, with models given by the test."""

    def __init__(self, models):
        self.models, self.champion = models, None

    def champion_version(self, case):
        assert case == "spikes"
        return self.champion

    def load(self, case, version):
        assert case == "spikes"
        if isinstance(self.models[version], Exception):
            raise self.models[version]
        return self.models[version]


def test_a_champion_that_cannot_be_loaded_is_told_once_and_the_present_one_stays():
    damaged = RegistryError("spikes/2", "its onnx are not what was registered", "Train again")
    told = []
    versions = Versions({1: None, 2: damaged})
    champion = Champion(versions, "spikes", refresh_s=0.0, warn=told.append)
    scorer = Scorer()
    champion.bring([scorer])
    versions.champion = 2
    for _ in range(3):
        champion.bring([scorer])
    assert len(told) == 1
    assert "spikes/2" in told[0]
    assert scorer._model is None


def test_the_cold_start_baseline_runs_until_there_is_a_champion(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    with Pipeline(stages(Settings(home=tmp_path), tmp_path, pytest.fail)):
        log.append(ticks(100))
    models = {
        codec.decode_prediction(record.value).model
        for extent in log.extents(PREDICTIONS)
        for record in log.read(PREDICTIONS, extent.partition, 0, 1000)
    }
    assert models == {COLD_START}
    assert threading.active_count() == 1
    log.close()
