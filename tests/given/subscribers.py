"""A case of the tests' own whose records are scored one by one: will a subscriber cancel?"""

import csv
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from barograph.cases.contract import Contract, Stream
from barograph.learning.encoding import Encoding
from barograph.registry.model import Model, ModelFacts, OnnxModel, export, sha256_of
from customers import CUSTOMERS
from handmade_models import linear


class Subscriber(msgspec.Struct, frozen=True, kw_only=True):
    """A subscriber as the tests invent them."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    months: Annotated[int, Meta(ge=0, le=600)]
    plan: Literal["basic", "full"]
    fee: Annotated[float, Meta(ge=0, le=1000)] | None
    cancels: Literal["no", "yes"] | None = None


CONTRACT = Contract(Subscriber, key="id", outcome="cancels", yes="yes", absent={"fee": 0.0})
STREAM = Stream(contract=CONTRACT, source="subs", target="subs.said", dead_letters="subs.dead")
SUBSCRIBERS = replace(
    CUSTOMERS, name="subscribers", feature_set=CONTRACT.feature_set, stream=STREAM
)


def fitted(features=("plan", "months", "fee")):
    """A logistic model of some features; not in the contract's order."""
    encoding = Encoding.of([2 if name == "plan" else 0 for name in features])
    weights = np.linspace(-1, 1, len(encoding.code))
    return linear(features, weights, bias=0.1, scale=20.0, view=encoding)


def graph(features=("plan", "months", "fee")):
    """The model's ONNX with its facts."""
    onnx = export(fitted(features), np.ones((1, len(features)), np.float32))
    return onnx, ModelFacts(
        case="subscribers", candidate="logistic", features=features,
        feature_set=CONTRACT.feature_set, tau={}, threshold=0.5, horizon_s=0, train_start_ns=0,
        train_end_ns=0, data_hash="d", seed=1, sha256=sha256_of(onnx), scores={},
        created_time_ns=0,
    )  # fmt: skip


def model(label="subscribers/1", features=("plan", "months", "fee"), **facts):
    """It, as a scorer uses it."""
    onnx, known = graph(features)
    return Model(
        label, msgspec.structs.replace(known, **facts), OnnxModel(onnx, len(features), label)
    )


def subscriber(number):
    """The words of one of them, as JSON has them."""
    return {
        "id": f"S-{number:05}",
        "months": number % 70,
        "plan": ("basic", "full")[number % 2],
        "fee": None if number % 11 == 0 else number % 90 + 0.5,
        "cancels": ("no", "yes")[number % 3 == 0],
    }


def table(path, subscribers):
    """Write a table of them; None is a blank cell."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, ["id", "months", "plan", "fee", "cancels"])
        rows.writeheader()
        rows.writerows(subscribers)
    return path
