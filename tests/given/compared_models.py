"""Two trainings of a case, to be compared: of the same data, with other candidates."""

import dataclasses
import shutil
import time

import numpy as np

from barograph.learning.candidates import logistic
from barograph.registry.registry import Registry
from barograph.training import card
from barograph.training.comparison import Trained, compare
from barograph.training.train import train
from barograph.training.walkforward import Training
from barograph.types import Interval
from cards import STORMS
from customers import CUSTOMERS, customers

HOW = Training(folds=2, resamples=100, seed=3)
CUSTOMERS_MADE = customers(2400)


def with_features(case, features):
    """The case with a logistic regression of these features as its only candidate."""

    def contenders(_offered, *_encoding):
        return (
            logistic((case.reference,), repeats=5, name=case.reference),
            logistic(features, repeats=5),
        )

    return dataclasses.replace(case, candidates=contenders)


POOR, GOOD = (
    with_features(CUSTOMERS, features) for features in (("tenure",), ("tenure", "calls", "charges"))
)
STORMY_POOR, STORMY_GOOD = (
    with_features(STORMS, features) for features in (("late", "noise"), ("level", "noise"))
)


def trained_in(home, case, dataset=CUSTOMERS_MADE, how=HOW, code_hash="c0de"):
    """Train in a home; the version with its card."""
    registry = Registry(home)
    report = train(case, dataset, registry, how, clock_ns=time.time_ns, code_hash=code_hash)
    return version_of(registry, case, report.model.version)


def version_of(registry, case, number):
    label = f"{case.name}/{number}"
    content = registry.attached(case.name, number, card.FILE)
    return Trained(
        label, registry.load(case.name, number, case.feature_set), card.decoded(content, label)
    )


def fresh_home(made_home, place):
    return shutil.copytree(made_home, place)


def compared(of_champion=POOR, of_candidate=GOOD, *, home):
    """A comparison of two trainings of customers."""
    champion = trained_in(home, of_champion, code_hash="0ld")
    return compare(CUSTOMERS, CUSTOMERS_MADE, champion, trained_in(home, of_candidate))


def pair_of(comparison, name):
    return next(pair for pair in comparison.scores if pair.name == name)


def undefined():
    """An interval of a score that is not defined."""
    return Interval(
        estimate=np.nan, low=np.nan, high=np.nan, level=0.95, resamples=10, undefined=10
    )
