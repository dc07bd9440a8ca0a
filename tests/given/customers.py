"""A case of the tests' own: customers without time, to prove that no job knows of spikes."""

import dataclasses
from typing import Annotated, Literal

import msgspec
import numpy as np
import polars as pl
from msgspec import Meta

from barograph.cases.case import Dataset
from barograph.cases.contract import Contract, Stream
from barograph.cases.tabular import tabular_case
from barograph.learning import candidates

FEATURES = ("tenure", "charges", "calls")
Amount = Annotated[float, Meta(ge=0, le=1e6)]


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    tenure: Amount
    charges: Amount
    calls: Amount
    left: Literal["no", "yes"] | None = None


STREAM = Stream(
    contract=Contract(Customer, key="name", outcome="left", yes="yes"),
    source="customers.raw",
    target="customers.predictions",
    dead_letters="customers.deadletter",
)


def customers(rows=3000, seed=0, *, knowable=True):
    """Who leaves: those with many calls in a short tenure, or nobody knows who."""
    rng = np.random.default_rng(seed)
    x = rng.lognormal(0, 1, (rows, 3))
    odds = x[:, 2] / x[:, 0] if knowable else rng.lognormal(0, 1, rows)
    leaves = odds * rng.lognormal(0, 0.7, rows) > 4
    names = [f"customer {number}" for number in range(rows)]
    columns = (
        {"name": names} | dict(zip(FEATURES, x.T, strict=True)) | {"left": leaves.astype(float)}
    )
    return Dataset(pl.DataFrame(columns), f"customers {rows} {seed}")


def contenders(features, _encoding):
    return (
        candidates.logistic(("charges",), repeats=1, name="charges"),
        candidates.logistic(features, repeats=1),
        candidates.lightgbm(features, candidates.Boosting(rounds=40, threads=1), repeats=1),
    )


CUSTOMERS = dataclasses.replace(
    tabular_case("customers", STREAM, candidates=contenders, reference="charges"),
    feature_set="customers/1",
)
