"""Which version was trained on the same rows in the same way."""

import dataclasses
import shutil
import time

import msgspec
import pytest

from barograph.registry.registry import Registry
from barograph.training.card import FILE
from barograph.training.train import train
from barograph.training.trained_alike import trained_alike
from compared_models import CUSTOMERS_MADE, GOOD
from compared_models import HOW as PROMOTING

pytestmark = pytest.mark.slow
CASE = dataclasses.replace(GOOD, name="alike")
HOW = msgspec.structs.replace(PROMOTING, promote=False)


@pytest.fixture(scope="module")
def home(made_home, tmp_path_factory):
    place = shutil.copytree(made_home, tmp_path_factory.mktemp("alike") / "home")
    registry = Registry(place)
    train(CASE, CUSTOMERS_MADE, registry, HOW, clock_ns=time.time_ns, code_hash="c0de")
    return place


def alike(home, data_hash=CUSTOMERS_MADE.data_hash, how=HOW, code_hash="c0de"):
    return trained_alike(Registry(home), CASE.name, data_hash, how, code_hash)


def test_the_same_rows_settings_and_code_are_one_training(home):
    found = alike(home)
    assert (found.due, found.version) == (False, 1)
    assert alike(home, data_hash="other") == []
    assert alike(home, how=msgspec.structs.replace(HOW, seed=4)) == []
    assert alike(home, code_hash="other") == []


def test_a_training_that_was_cut_off_before_its_card_is_done_again_with_the_same_verdict(
    home, tmp_path, monkeypatch
):
    place = shutil.copytree(home, tmp_path / "home")
    registry = Registry(place)
    attach = Registry.attach

    def killed(registry, case, version, name, content):
        if name == FILE:
            raise KeyboardInterrupt
        attach(registry, case, version, name, content)

    other = dataclasses.replace(CASE, name="cut")
    words = {"clock_ns": time.time_ns, "code_hash": "c0de"}
    monkeypatch.setattr(Registry, "attach", killed)
    with pytest.raises(KeyboardInterrupt):
        train(other, CUSTOMERS_MADE, registry, HOW, **words)
    monkeypatch.undo()
    cut_off = trained_alike(registry, "cut", CUSTOMERS_MADE.data_hash, HOW, "c0de")
    assert cut_off == [1]
    again = train(other, CUSTOMERS_MADE, registry, HOW, again=cut_off, **words)
    assert again.model.version == 2
    assert (
        again.gate.judged_rows
        == train(
            dataclasses.replace(CASE, name="whole"), CUSTOMERS_MADE, registry, HOW, **words
        ).gate.judged_rows
    )
