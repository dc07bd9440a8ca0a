"""A recording with holes and its features; a home that lived through one and knows one model."""

import shutil
from contextlib import closing

import pytest

import barograph as bg
from barograph.cases.market import MARKET
from barograph.feature_set.featurizer import Featurizer
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.worker import when_idle, work
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from homes import Home as FedHome
from market_stages import FEATURIZE, SCORE
from registered_models import facts_of, graph

START_S = 1_750_000_000


@pytest.fixture(scope="session")
def holed(tmp_path_factory):
    """The path of a recording of two products, 34 minutes with holes of 2 minutes and of 30 s."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, START_S * 10**9)
    frames = []
    for heard_s, lost_s in ((720, 120), (300, 30), (1000, 0)):
        frames += market.advance(heard_s)
        market.advance(lost_s) if lost_s else None
    path = tmp_path_factory.mktemp("holed") / "market.ndjson"
    path.write_bytes(b"".join(frame.data + b"\n" for frame in frames))
    return path


@pytest.fixture(scope="session")
def holed_ticks(holed):
    return bg.read_ticks(holed)


@pytest.fixture(scope="session")
def X(holed_ticks):  # noqa: N802 - scikit-learn's name
    return bg.features(holed_ticks)


TAU = {"BTC-USD": 0.0001}
"""Of the two products of the recording a model knows one."""


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, START_S * 10**9)
    frames = market.advance(200)
    market.advance(30)  # lost
    frames += market.advance(400)
    path = tmp_path_factory.mktemp("recorded") / "market.ndjson"
    path.write_bytes(b"".join(frame.data + b"\n" for frame in frames))
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory, recording, made_home):
    """A home that replayed the recording, featurized it and scored it with its champion."""
    folder = tmp_path_factory.mktemp("lived") / "home"
    shutil.copytree(made_home, folder)
    registry, onnx = Registry(folder), graph()
    registry.register("spikes", onnx, facts_of(onnx, tau=TAU))
    registry.promote("spikes", 1, "the first")
    fed = FedHome(folder)
    fed.replay(recording)
    with closing(fed.log) as log:
        model = registry.load("spikes", "champion", MARKET.feature_set)
        work(log, FEATURIZE, Featurizer, clock_ns=lambda: 0, until=when_idle)
        work(log, SCORE, lambda: Scorer(MARKET, model), clock_ns=lambda: 0, until=when_idle)
    return folder


@pytest.fixture
def home(folder):
    with bg.open(folder) as home:
        yield home
