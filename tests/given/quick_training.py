"""How tests train: as little as shows everything."""

from barograph.training.train import Training

HOW = Training(folds=3, resamples=200, seed=3)
