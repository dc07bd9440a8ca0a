"""A home that replayed a recording, made features of it and scored them with a champion."""

import shutil
from contextlib import closing

from barograph.cases.market import MARKET
from barograph.feature_set.featurizer import Featurizer
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.worker import when_idle, work
from barograph.registry.registry import Registry
from homes import Home
from market_stages import FEATURIZE, SCORE
from registered_models import facts_of, graph

TAU = {"BTC-USD": 0.0001}
"""What the champion was trained on: one product."""


def lived(folder, made_home, recording):
    """Fill `folder`, from the fixture `made_home`; returns it."""
    shutil.copytree(made_home, folder)
    registry, onnx = Registry(folder), graph()
    registry.register("spikes", onnx, facts_of(onnx, tau=TAU))
    registry.promote("spikes", 1, "the first")
    home = Home(folder)
    home.replay(recording)
    with closing(home.log) as log:
        model = registry.load("spikes", "champion", MARKET.feature_set)
        work(log, FEATURIZE, Featurizer, clock_ns=lambda: 0, until=when_idle)
        work(log, SCORE, lambda: Scorer(MARKET, model), clock_ns=lambda: 0, until=when_idle)
    return folder
