"""Live scores of a log's topic, by model."""

from barograph.cases.market import MARKET
from barograph.evaluation.matured import judge
from barograph.pipeline.live_scores import matured


def scores_of(log, topic, *, since_ns=0):
    """The live scores of each model whose predictions a topic has."""
    by_model = matured(log, topic, MARKET, since_ns=since_ns)
    return {model: judge(model, outcomes) for model, outcomes in by_model.items()}
