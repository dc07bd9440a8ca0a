"""POST /v1/predict: rows by name, or records, scored with the champion. Nothing is filled in."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from barograph import telemetry
from barograph.app.web.answers import REASONS
from barograph.app.web.reading import board_of, site_of
from barograph.app.web.refused import RefusedError, answered, decoded_body
from barograph.app.web.site import Site
from barograph.cases.case import Case
from barograph.cases.contract import Contract, RecordRefusedError
from barograph.registry.model import TAU, Model
from barograph.types import Fault, Verdict

MOST_ROWS = 1_000
"""Rows of one request at most."""

MOST_PROBLEMS = 20
"""Problems that a refusal names at most."""

_AT_ONCE = 32
_FLOAT32_MAX = 3.4028234663852886e38

router = APIRouter()


class RowIn(msgspec.Struct, forbid_unknown_fields=True):
    """A row of a series: its product, or key, and its features by name."""

    features: dict[str, float | str | bool | None]
    product: str = ""
    key: str = ""


class PredictIn(msgspec.Struct, forbid_unknown_fields=True):
    """A request: `rows` or one row of a series, or `records` of a case of records.

    `case` is the default one if empty. `feature_set`, if given, is the hash of the features that
    the rows were made with.
    """

    case: str = ""
    feature_set: str = ""
    rows: list[RowIn] | None = None
    records: list[msgspec.Raw] | None = None
    features: dict[str, float | str | bool | None] | None = None
    product: str = ""
    key: str = ""


class RowScore(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction for one row or record, in the order of the request."""

    case: str
    key: str
    verdict: str
    reason: str
    probability: float | None
    alarm: bool
    threshold: float
    tau: float | None
    horizon_s: int
    model: str


class Scored(msgspec.Struct, frozen=True):
    """The predictions for a request."""

    predictions: list[RowScore]


_predict_in = msgspec.json.Decoder(PredictIn)
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@router.post("/predict")
@router.post("/v1/predict")
async def predict(request: Request) -> Response:
    """Score rows by feature name, or records, with the champion.

    A feature that is missing, unknown, null or no finite number is refused, as is another feature
    set: nothing is filled in.
    """
    return await _predict(request, "")


@router.post("/v1/cases/{case}/predict")
async def case_predict(request: Request, case: str) -> Response:
    """Score rows or records of a case with its champion."""
    return await _predict(request, case)


async def _predict(request: Request, case: str) -> Response:
    began_s = time.perf_counter()
    body = await request.body()
    site = site_of(request)
    wanted = decoded_body(_predict_in, body)
    board = board_of(site, case or wanted.case)
    answer = Scored(await _scores(site, site.cases[board.name], wanted))
    response = answered(answer)
    telemetry.PREDICTION_LATENCY.observe(time.perf_counter() - began_s, "request")
    return response


async def _scores(site: Site, case: Case, wanted: PredictIn) -> list[RowScore]:
    model = _champion(site, case, wanted.feature_set)
    inputs = _rows(case, model, wanted) if case.live is not None else _records(case, model, wanted)
    facts = model.facts
    verdict = Verdict.MODEL_EXPIRED if facts.expired(time.time_ns()) else Verdict.PREDICTED
    scored: list[RowScore] = []
    for number, (key, values, tau) in enumerate(inputs, 1):
        probability: float | None = None
        own = verdict
        if verdict is Verdict.PREDICTED:
            x = np.array([values], np.float32)
            probability = float(model.onnx.predict(x)[0])
            if not 0.0 <= probability <= 1.0:  # NaN too: beyond all that it was made for
                own, probability = Verdict.OUT_OF_RANGE, None
        scored.append(
            RowScore(
                case=case.name,
                key=key,
                verdict=str(own),
                reason=REASONS[own],
                probability=probability,
                alarm=probability is not None and probability >= facts.threshold,
                threshold=facts.threshold,
                tau=tau,
                horizon_s=facts.horizon_s,
                model=model.label,
            )
        )
        if not number % _AT_ONCE:
            await asyncio.sleep(0)  # let others in between
    return scored


def _champion(site: Site, case: Case, feature_set: str) -> Model:
    if feature_set and feature_set != case.feature_set:
        raise RefusedError(
            422,
            f"feature_set {feature_set[:100]}: case {case.name} has {case.feature_set}.",
            "Make the rows with the features of this version, or leave out feature_set.",
        )
    model = site.champion(case.name)
    if model is None:
        raise RefusedError(
            503,
            f"case {case.name} has no champion.",
            f"Train and promote one (`barograph train --case {case.name}`).",
        )
    return model


Input = tuple[str, Sequence[float], float | None]
"""A key, the model's inputs, and tau."""


def _rows(case: Case, model: Model, wanted: PredictIn) -> list[Input]:
    if wanted.records is not None:
        raise RefusedError(422, f"case {case.name} has rows, not records.", "Send `rows`.")
    rows = wanted.rows
    if wanted.features is not None and rows is None:
        rows = [RowIn(wanted.features, wanted.product, wanted.key)]
    if not rows:
        raise RefusedError(422, "there is no row.", "Send `rows`, or one row with its `features`.")
    _bounded(len(rows))
    live = case.live
    known = frozenset(live.columns if live is not None else ())
    problems: list[str] = []
    inputs: list[Input] = []
    for number, row in enumerate(rows):
        where = f"rows[{number}]"
        key = row.product or row.key
        tau = model.facts.tau.get(key)
        if tau is None:
            keys = ", ".join(list(model.facts.tau)[:10]) or "none"
            problems.append(f"{where}: {model.label} has no tau of {key[:100]!r}, only of {keys}")
            tau = math.nan
        found = _problems(row.features, model, known)
        problems += [f"{where}: {problem}" for problem in found]
        if len(problems) > MOST_PROBLEMS:
            break
        if not found:
            inputs.append((key, _values(row.features, model, tau), tau))
    _refuse(problems, "Send every feature of the model, as a finite number, and no other name.")
    return inputs


def _values(
    features: Mapping[str, float | str | bool | None], model: Model, tau: float
) -> list[float]:
    return [tau if n == TAU else float(features[n] or 0.0) for n in model.facts.features]


def _problems(
    features: Mapping[str, float | str | bool | None], model: Model, known: frozenset[str]
) -> list[str]:
    """What is wrong with the features of a row."""
    found = [
        f"{name} is missing"
        for name in model.facts.features
        if name not in features and name != TAU
    ]
    for name, value in features.items():
        if name not in known:
            found.append(f"{name[:100]!r} is no feature of this feature set")
        elif value is None:
            found.append(f"{name} is null")
        elif isinstance(value, bool | str):
            found.append(f"{name} is no number")
        elif not -_FLOAT32_MAX <= value <= _FLOAT32_MAX:  # NaN too
            found.append(f"{name} is no finite number that a model takes")
    return found


def _records(case: Case, model: Model, wanted: PredictIn) -> list[Input]:
    if wanted.rows is not None or wanted.features is not None or case.stream is None:
        raise RefusedError(422, f"case {case.name} has records, not rows.", "Send `records`.")
    if not wanted.records:
        raise RefusedError(422, "there is no record.", "Send `records`.")
    _bounded(len(wanted.records))
    contract = case.stream.contract
    places = {name: place for place, name in enumerate(contract.features)}
    columns = [places[name] for name in model.facts.features]
    fields = frozenset((*contract.features, contract.key, contract.outcome))
    problems: list[str] = []
    inputs: list[Input] = []
    for number, raw in enumerate(wanted.records):
        try:
            key, values = _record(contract, fields, bytes(raw))
        except RecordRefusedError as refused:
            problems.append(f"records[{number}]: {refused.fault}: {refused.detail}")
            if len(problems) > MOST_PROBLEMS:
                break
            continue
        inputs.append((key, [values[column] for column in columns], None))
    _refuse(problems, f"Keep the contract of case {case.name}: every field once, and no other.")
    return inputs


def _record(
    contract: Contract, fields: frozenset[str], raw: bytes
) -> tuple[str, tuple[float, ...]]:
    words: Any = contract.decode(raw)
    strange = [name for name in _raw_fields(raw) if name not in fields]
    if strange:
        raise RecordRefusedError(Fault.WRONG_SHAPE, f"$.{strange[0][:100]}: is no field")
    return contract.key_of(words), contract.numbers(words)


def _bounded(count: int) -> None:
    if count > MOST_ROWS:
        cure = f"Send at most {MOST_ROWS:,} in one request."
        raise RefusedError(422, f"{count:,} rows are too many.", cure)


def _refuse(problems: list[str], cure: str) -> None:
    if problems:
        more = " …" if len(problems) > MOST_PROBLEMS else ""
        raise RefusedError(422, f"{'; '.join(problems[:MOST_PROBLEMS])}{more}.", cure)
