"""A training's report is values: JSON with null for what is not defined."""

import json

import msgspec

from cards import report_of


def test_it_is_json_with_null_for_what_is_not_defined():
    (row, *_) = report_of().rows
    undefined = msgspec.structs.replace(row, acting={"recall": float("nan")})
    report = msgspec.structs.replace(report_of(), rows=[undefined])
    read = json.loads(msgspec.json.encode(report))
    assert set(read) == {field.name for field in msgspec.structs.fields(report)}
    assert read["rows"][0]["acting"] == {"recall": None}
    assert read["rows"][0]["log_r2"] is None
