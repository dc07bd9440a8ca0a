import pytest

from barograph.archive.pushed import PushRecord, StoredFiles, keep_record, pushed, read_record
from barograph.errors import BadInputError


def test_what_stands_in_any_store_is_pushed(tmp_path):
    assert (pushed(tmp_path), read_record(tmp_path)) == (frozenset(), PushRecord())
    record = PushRecord()
    record.at("s3://a").archive["1"] = "x"
    record.at("s3://b").archive["2"] = "y"
    record.at("s3://b").lake["index.parquet"] = "z"
    keep_record(tmp_path, record)
    assert (pushed(tmp_path), read_record(tmp_path)) == ({"x", "y"}, record)
    assert record.at("s3://a") == StoredFiles(archive={"1": "x"})


def test_a_damaged_record_is_one_line_with_a_cure(tmp_path):
    (tmp_path / "pushed.json").write_bytes(b"{")
    with pytest.raises(BadInputError, match=r"pushed\.json: it cannot be read.*Remove it"):
        pushed(tmp_path)
