"""Live scores of a log's topic, by model."""

from barograph.live_scores import matured
from barograph.matured import judge


def scores_of(log, topic, *, since_ns=0):
    """The live scores of each model whose predictions a topic has."""
    found = matured(log, topic, since_ns=since_ns)
    return {model: judge(model, said) for model, said in found.items()}
