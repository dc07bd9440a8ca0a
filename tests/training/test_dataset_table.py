"""The table of a dataset: found without being read, and proven; `test_dataset.py` has the rest."""

import msgspec
import pytest

from barograph.errors import BadInputError
from barograph.training import dataset_table
from datasets_written import queue_rows, written
from queues import QUEUES


def test_a_table_is_found_with_its_rows_and_hash(tmp_path):
    frame = queue_rows({"south": [1.0, None, 2.0]})
    table = dataset_table.found(written(tmp_path, QUEUES, frame), QUEUES)
    assert (table.rows, table.data_hash) == (3, "d")
    # exact: the same rows
    assert dataset_table.whole(table, QUEUES).frame.equals(frame)


def test_an_older_name_of_the_outcome_is_understood(tmp_path):
    frame = queue_rows({"south": [1.0, None, 2.0]})
    home = written(tmp_path, QUEUES, frame.rename({"outcome": "future_realized_vol"}))
    # exact: the same rows
    assert dataset_table.read(home, QUEUES).frame.equals(frame)


def test_a_table_of_other_rows_than_its_manifest_says_is_refused(tmp_path):
    home = written(tmp_path, QUEUES, queue_rows({"south": [1.0, 2.0]}))
    _, manifest = dataset_table.paths(home, QUEUES)
    facts = msgspec.json.decode(manifest.read_bytes())
    manifest.write_bytes(msgspec.json.encode(facts | {"rows": 3}))
    with pytest.raises(BadInputError, match="its manifest has 3 rows, the table 2"):
        dataset_table.found(home, QUEUES)
