"""A simulated market as a notebook has it: features, labels, and the dataset they came from."""

import numpy as np

from barograph.cases.spikes import SPIKES
from barograph.library.frames import Features
from barograph.library.labels import label
from markets import market


def features_and_labels(hours, seed, products=("BTC-USD", "ETH-USD")):
    """(features, labels, dataset) of the same rows."""
    dataset = market("market", hours, seed, products)
    digits = "".join(dataset.frame["reasons"].to_list()).encode()
    codes = np.frombuffer(digits, np.uint8).reshape(len(dataset.frame), -1) - ord("0")
    X = Features(dataset.frame.drop("reasons", "outcome"), codes, SPIKES)
    return X, label(X), dataset
