"""Refusals of the API: a status, what is wrong, and what to do."""

from typing import TypeVar

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from barograph.app.web.answers import Refusal
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError, BarographError, facts_and_cure

JSON = "application/json"

T = TypeVar("T")


class RefusedError(Exception):
    """A request is refused with an HTTP status. Never leaves the server."""

    def __init__(
        self, status: int, error: str, cure: str, headers: dict[str, str] | None = None
    ) -> None:
        self.status, self.error, self.cure = status, error, cure
        self.headers = headers
        super().__init__(error)


def refusal(status: int, error: str, cure: str, headers: dict[str, str] | None = None) -> Response:
    """The response of a refusal."""
    body = msgspec.json.encode(Refusal(error, cure))
    return Response(body, status, headers, JSON)


def answered(answer: object, status: int = 200) -> Response:
    """The response that a struct is."""
    return Response(msgspec.json.encode(answer), status, media_type=JSON)


def decoded_body(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """The body of a request. Raises RefusedError (422) for one that is not what is taken."""
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        cure = "See /openapi.json for an example."
        raise RefusedError(422, f"the body: {str(error)[:500]}.", cure) from None


async def refused(_request: HTTPConnection, error: Exception) -> Response:
    """The response for a RefusedError, and for an error of the house: 422 where the input is bad.

    Anything else of the house is 503: it may pass, and its cure stands in it.
    """
    if isinstance(error, RefusedError):
        return refusal(error.status, error.error, error.cure, error.headers)
    if isinstance(error, BadInputError):
        return refusal(422, *facts_and_cure(error))
    return refusal(503 if isinstance(error, BarographError) else 500, *facts_and_cure(error))
