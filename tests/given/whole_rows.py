"""All rows that a market's events close, at once."""

from barograph.feature_set.featurizer import Featurizer


def whole(events, products=1):
    featurizer = Featurizer()
    for product in range(products):
        featurizer.product_index(str(product))
    return featurizer.update(events)
