"""The stages of the market's series, as routes and machines."""

from barograph.cases.market import MARKET
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.stages import featurize_route, score_route

FEATURIZE, SCORE = featurize_route(MARKET), score_route(MARKET)


class MarketScorer(Scorer):
    """A scorer of the market, before there is a model."""

    def __init__(self):
        super().__init__(MARKET)
