"""Refusals: a status, facts and a cure, from errors of the house too."""

import asyncio

import msgspec
import pytest

from barograph.app.web.refused import RefusedError, refused
from barograph.errors import BadInputError, LogUnavailableError, UnknownTopicError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError(404, "it is not there.", "Use another."), 404),
        (BadInputError("cursor", "it is none", "Leave it out"), 422),
        (LogUnavailableError("log.sqlite", "another process kept it locked; try again"), 503),
        (UnknownTopicError("ticks.raw", []), 503),
    ],
)
def test_an_error_becomes_a_status_with_facts_and_a_cure(error, status):
    response = asyncio.run(refused(None, error))
    assert response.status_code == status
    body = msgspec.json.decode(response.body)
    assert set(body) == {"error", "cure"}
    assert all(body.values())
