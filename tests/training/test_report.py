"""A training's report is values: JSON with null for what is not defined."""

import json

import msgspec
import pytest

from cards import report_of
from changed_reports import changed_report


@pytest.mark.slow
def test_it_is_json_with_null_for_what_is_not_defined():
    (row, *_) = report_of().tested.scores
    undefined = msgspec.structs.replace(row, acting={"recall": float("nan")})
    report = changed_report(report_of(), scores=[undefined])
    read = json.loads(msgspec.json.encode(report))
    assert set(read) == {field.name for field in msgspec.structs.fields(report)}
    assert read["tested"]["scores"][0]["acting"] == {"recall": None}
    assert read["tested"]["scores"][0]["log_r2"] is None
