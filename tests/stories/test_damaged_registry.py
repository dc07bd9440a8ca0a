"""A registry that breaks under what runs live: the recording goes on, and models come back."""

import json
import os
import shutil
import signal
from contextlib import closing
from itertools import pairwise

import pytest

from barograph import codec
from barograph.app.settings import Settings
from barograph.app.wiring import stages
from barograph.cases.cold_start import COLD_START
from barograph.cases.spikes import SPIKES
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, ensure_topics
from barograph.pipeline.threads import Pipeline
from barograph.registry.registry import Registry
from log_contents import total, values
from registered_models import facts_of, graph
from second_ticks import ticks
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations


@pytest.fixture
def home(made_home, tmp_path):
    """A home whose registry has a champion, with a copy of it to put back."""
    home = shutil.copytree(made_home, tmp_path / "home")
    registry, onnx = Registry(home), graph()
    registry.promote("spikes", registry.register("spikes", onnx, facts_of(onnx)), "the first")
    shutil.copytree(home / "registry", tmp_path / "sound")
    return home


def mended(home):
    place = home / "registry"
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    shutil.copytree(home.parent / "sound", place)


def garbage(place):
    (place / "mlflow.db").write_bytes(b"garbage" * 10_000)


def gone(place):
    (place / "mlflow.db").unlink()


def a_file(place):
    shutil.rmtree(place)
    place.write_text("a file where the directory was")


def without_artifacts(place):
    shutil.rmtree(place / "artifacts")


def speakers(log):
    predictions = [
        codec.decode_prediction(value)
        for records in values(log, PREDICTIONS).values()
        for _, value in records
    ]
    return [each.model for each in sorted(predictions, key=lambda each: each.second)]


# A database that was never there is an empty registry.
@pytest.mark.parametrize("damage", [garbage, a_file, without_artifacts])
def test_what_runs_live_begins_without_a_champion_and_takes_it_up_once_it_is_mended(home, damage):
    damage(home / "registry")
    warnings = []
    settings = Settings(home=home, model_refresh_s=0.02)
    with closing(open_log(home)) as log:
        ensure_topics(log)
        with Pipeline(stages(settings, home, SPIKES, warnings.append, patient=True)):
            log.append(ticks(100))
            until(lambda: total(log, PREDICTIONS) == 99)
            mended(home)
            until(
                lambda: any("can be used again: champion is spikes/1" in line for line in warnings)
            )
            taken_up(log, 100)
        models = speakers(log)
    assert set(models[:99]) == {COLD_START}
    assert [a != b for a, b in pairwise(models)].count(True) == 1
    assert all("\n" not in line for line in warnings)
    assert any("There is no champion meanwhile." in line for line in warnings)
    assert len(set(warnings)) == len(warnings)


def taken_up(log, start):
    """Tick until the champion speaks."""
    for second in range(start, start + 2000):
        log.append(ticks(1, second))
        until(lambda second=second: total(log, PREDICTIONS) == second)
        if speakers(log)[-1] == "spikes/1":
            return
    pytest.fail("the champion never spoke")


@pytest.mark.parametrize("damage", [garbage, gone, a_file, without_artifacts])
def test_what_runs_live_keeps_its_champion_while_the_registry_is_damaged(home, damage):
    warnings = []
    settings = Settings(home=home, model_refresh_s=0.02)
    with closing(open_log(home)) as log:
        ensure_topics(log)
        with Pipeline(stages(settings, home, SPIKES, warnings.append, patient=True)):
            log.append(ticks(100))
            until(lambda: total(log, PREDICTIONS) == 99)
            damage(home / "registry")
            if damage is not without_artifacts:  # of a champion that is loaded nothing is read
                until(lambda: any("The present model stays." in line for line in warnings))
            log.append(ticks(100, 100))
            until(lambda: total(log, PREDICTIONS) == 199)
            mended(home)
            if damage is not without_artifacts:
                until(lambda: any("can be used again" in line for line in warnings))
        assert set(speakers(log)) == {"spikes/1"}
        assert total(log, FEATURES) == 199


def test_up_records_and_featurizes_beside_a_damaged_registry(home):
    garbage(home / "registry")
    up = Life("up", "--venue", "simulated", "--products", "BTC-USD", "--home", home, "--json")
    with closing(open_log(home)) as log:

        def predicted():
            known = {topic.name for topic in log.topics()}
            return PREDICTIONS in known and total(log, PREDICTIONS) > 3

        until(lambda: predicted() or not up.is_alive(), 60.0)
    assert up.is_alive(), up.end()
    os.kill(up.pid, signal.SIGINT)
    code, out, err = up.end()
    assert code == 0, err.decode()
    assert json.loads(out)["seen"]["predictions"] > 0
    lines = err.decode().splitlines()
    assert any("There is no champion meanwhile." in line for line in lines)
    assert any("warning  retraining: model " in line for line in lines)
    assert "Traceback" not in err.decode()
