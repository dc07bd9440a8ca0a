"""The description of the API: what each route takes and answers, with examples that work.

Answers are made by msgspec, so FastAPI does not know their types: they are added here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI

from barograph.app.web.answers import (
    RecordScore,
    RecordsStatus,
    Refusal,
    SeriesPrediction,
    SeriesStatus,
)
from barograph.app.web.downsample import Series
from barograph.app.web.forecasting import ForecastAnswer
from barograph.app.web.health import HealthAnswer
from barograph.app.web.managing import (
    AlertList,
    LetterPage,
    ModelAnswer,
    PromoteIn,
    RollbackIn,
)
from barograph.app.web.reading import (
    CaseList,
    KeyList,
    PredictionPage,
    ProductList,
    ScorePage,
)
from barograph.app.web.scoring import PredictIn, Scored
from barograph.registry.audit import Promotion

_REF = "#/components/schemas/{name}"
_JSON = "application/json"

ERRORS = {
    401: "The token is missing or wrong.",
    403: "The origin may not do that, or the server has no token.",
    404: "There is no such case, key or model.",
    408: "The body was not whole in time.",
    409: "The registry refuses it.",
    413: "The body is too large.",
    421: "The host is not this server's.",
    422: "A parameter or the body is not what is taken.",
    429: "Too many requests from this address.",
    503: "It is not fit to answer now; it may be later.",
}

_READS = (404, 421, 422, 429, 503)
_WRITES = (403, 404, 408, 413, 421, 422, 429, 503)


class Route(NamedTuple):
    """What a route answers and takes. answer: types, or a media type; body: a type."""

    answer: tuple[Any, ...] | str
    errors: tuple[int, ...]
    body: Any = None


ROUTES: Mapping[str, Route] = {
    "GET /health": Route((HealthAnswer,), (421, 429)),
    "GET /metrics": Route("text/plain", (421, 422, 429)),
    "GET /v1/cases": Route((CaseList,), (421, 429)),
    "GET /v1/products": Route((ProductList,), (421, 429)),
    "GET /v1/cases/{case}/keys": Route((KeyList,), (404, 421, 422, 429)),
    "GET /v1/predictions": Route((PredictionPage, ScorePage), (421, 422, 429, 503)),
    "GET /v1/cases/{case}/predictions": Route((PredictionPage, ScorePage), _READS),
    "GET /v1/predictions/{product}": Route((SeriesPrediction, RecordScore), _READS),
    "GET /v1/cases/{case}/predictions/{key}": Route((SeriesPrediction, RecordScore), _READS),
    "GET /v1/series/{product}": Route((Series,), _READS),
    "GET /v1/cases/{case}/series/{key}": Route((Series,), _READS),
    "GET /v1/cases/{case}/forecast": Route((ForecastAnswer,), _READS),
    "GET /v1/status": Route((SeriesStatus, RecordsStatus), _READS),
    "GET /v1/cases/{case}/status": Route((SeriesStatus, RecordsStatus), _READS),
    "GET /v1/stream": Route("text/event-stream", _READS),
    "GET /v1/model": Route((ModelAnswer,), _READS),
    "GET /v1/cases/{case}/model": Route((ModelAnswer,), _READS),
    "GET /v1/model/card": Route("text/html", _READS),
    "GET /v1/alerts": Route((AlertList,), (421, 422, 429)),
    "GET /v1/cases/{case}/alerts": Route((AlertList,), _READS),
    "GET /v1/deadletters": Route((LetterPage,), _READS),
    "POST /predict": Route((Scored,), _WRITES, PredictIn),
    "POST /v1/predict": Route((Scored,), _WRITES, PredictIn),
    "POST /v1/cases/{case}/predict": Route((Scored,), _WRITES, PredictIn),
    "POST /v1/models/promote": Route((Promotion,), (401, *_WRITES, 409), PromoteIn),
    "POST /v1/models/rollback": Route((Promotion,), (401, *_WRITES, 409), RollbackIn),
}
"""Every route that is described."""


def described(
    app: FastAPI, examples: Mapping[str, Any], forecast: Mapping[str, str]
) -> dict[str, Any]:
    """The OpenAPI of an application.

    examples: bodies by method and path. forecast: examples of the parameters of `/forecast`.
    """
    document = FastAPI.openapi(app)
    kinds = [Refusal]
    for route in ROUTES.values():
        kinds += [] if isinstance(route.answer, str) else list(route.answer)
        kinds += [] if route.body is None else [route.body]
    unique = list(dict.fromkeys(kinds))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    by_kind = dict(zip(unique, schemas, strict=True))
    document["components"] = {
        "schemas": components,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    for parameter in document["paths"]["/v1/cases/{case}/forecast"]["get"]["parameters"]:
        if parameter["name"] in forecast:
            parameter["example"] = forecast[parameter["name"]]
    for name, route in ROUTES.items():
        method, path = name.split(" ")
        operation = document["paths"][path][method.lower()]
        operation["responses"] = _responses(route, by_kind)
        if route.body is not None:
            content = {"schema": by_kind[route.body], "example": examples[name]}
            operation["requestBody"] = {"required": True, "content": {_JSON: content}}
        if 401 in route.errors:
            operation["security"] = [{"token": []}]
    return document


def _responses(route: Route, by_kind: Mapping[Any, Any]) -> dict[str, Any]:
    if isinstance(route.answer, str):
        content: dict[str, Any] = {route.answer: {"schema": {"type": "string"}}}
    else:
        variants = [by_kind[kind] for kind in route.answer]
        schema = variants[0] if len(variants) == 1 else {"anyOf": variants}
        content = {_JSON: {"schema": schema}}
    responses = {"200": {"description": "The answer.", "content": content}}
    for status in sorted(route.errors):
        refused = {_JSON: {"schema": by_kind[Refusal]}}
        responses[str(status)] = {"description": ERRORS[status], "content": refused}
    if route.answer == (HealthAnswer,):
        responses["503"] = {"description": "It is not ready; why not.", "content": content}
    return responses


def examples_of(columns: tuple[str, ...], key: str) -> dict[str, Any]:
    """Bodies that work where the default case is a series with a champion that knows `key`."""
    row = {"rows": [{"product": key, "features": dict.fromkeys(columns, 0.0001)}]}
    return {
        "POST /predict": row,
        "POST /v1/predict": row,
        "POST /v1/cases/{case}/predict": row,
        "POST /v1/models/promote": {"version": 2, "reason": "better in shadow"},
        "POST /v1/models/rollback": {"reason": "false alarms"},
    }
