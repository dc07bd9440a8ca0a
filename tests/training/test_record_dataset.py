"""The dataset of a case of records."""

import os

import msgspec
import pytest

from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError, ForeignFeaturesError, TooLittleDataError
from barograph.training import dataset, record_dataset
from customers import CUSTOMERS, FEATURES, customers

HEADER = "name,tenure,charges,calls,left\n"
ROWS = [
    "ann,1,2.1,3,yes",
    "bob,4,5,6,no",
    "cy,7,heavy,9,no",
    "ann,1,2,3,",
    "dee,-1,2,3,no",
    "eve,1,2,3,perhaps",
    "fay,1,2",
    "gus,,2,3,no",
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(HEADER + "\n".join(ROWS) + "\n")
    return path


def test_accepted_records_are_rows_of_numbers_and_the_others_are_counted_by_reason(tmp_path, table):
    made = record_dataset.build(tmp_path, CUSTOMERS, [table])
    read = dataset.read(tmp_path, CUSTOMERS)
    assert read.frame.columns == ["name", *FEATURES, "left"]
    # exact: decimals as they were read
    assert read.frame.rows() == [
        ("ann", 1.0, 2.1, 3.0, 1.0),
        ("bob", 4.0, 5.0, 6.0, 0.0),
        ("ann", 1.0, 2.0, 3.0, None),
    ]
    assert read.data_hash == made.data_hash
    assert made.files == {"people.csv": 8}
    assert made.refused == {
        "missing_field": 1,
        "not_a_number": 1,
        "out_of_range": 1,
        "unknown_category": 1,
        "wrong_shape": 1,
    }
    assert sum(made.refused.values()) + made.rows == 8
    first = made.first_refused[0]
    assert (first.file, first.line, first.fault) == ("people.csv", 4, "not_a_number")
    assert first.detail.startswith("$.charges: ")
    assert (made.usable, made.yes, made.unused) == (2, 1, {"outcome unknown": 1})
    assert made.repeated_keys == 1


def test_records_without_any_outcome_make_no_dataset(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(HEADER + "ann,1,2,3,\nbob,1,2,3,\n")
    with pytest.raises(TooLittleDataError, match=r"have 0 outcomes in 2 records, need some\. Give"):
        record_dataset.build(tmp_path, CUSTOMERS, [path])
    assert not (tmp_path / "datasets").exists()


def test_a_row_of_another_length_than_the_header_is_refused_with_both_lengths(tmp_path, table):
    refusals = record_dataset.build(tmp_path, CUSTOMERS, [table]).first_refused
    assert "3 cells, the header has 5" in [refusal.detail for refusal in refusals]


def test_the_manifest_tells_what_the_dataset_was_made_of(tmp_path, table):
    made = record_dataset.build(tmp_path, CUSTOMERS, [table])
    written = (tmp_path / "datasets" / "customers.json").read_bytes()
    assert msgspec.json.decode(written, type=record_dataset.RecordManifest) == made
    assert made.feature_set == CUSTOMERS.feature_set


def test_only_the_first_few_refusals_are_reported_and_all_are_counted(tmp_path, table):
    table.write_text(HEADER + "ann,1,2,3,yes\n" + "cy,7,heavy,9,no\n" * 50)
    made = record_dataset.build(tmp_path, CUSTOMERS, [table])
    assert made.refused == {"not_a_number": 50}
    assert [refusal.line for refusal in made.first_refused] == list(range(3, 13))


def test_files_follow_each_other_in_any_form(tmp_path, table):
    other = tmp_path / "more.ndjson"
    other.write_bytes(
        b'{"name":"zoe","tenure":1,"charges":1,"calls":1,"left":"no"}\n{"name":"zed"}\n'
    )
    seen = []
    made = record_dataset.build(tmp_path, CUSTOMERS, [table, other], progress=seen.append)
    assert made.files == {"people.csv": 8, "more.ndjson": 2}
    assert dataset.read(tmp_path, CUSTOMERS).frame["name"].to_list() == ["ann", "bob", "ann", "zoe"]
    assert seen == []


def test_progress_is_reported_by_the_thousand(tmp_path, table):
    table.write_text(HEADER + "".join(f"n{i},1,2,3,no\n" for i in range(2500)))
    seen = []
    record_dataset.build(tmp_path, CUSTOMERS, [table, table], progress=seen.append)
    assert seen == [1000, 2000, 3500, 4500]


def test_the_hash_is_of_what_the_contract_reads(tmp_path, table):
    first = record_dataset.build(tmp_path, CUSTOMERS, [table]).data_hash
    table.write_text(table.read_text().replace("bob,4,5", "bob,4.0,5.00"))
    assert record_dataset.build(tmp_path, CUSTOMERS, [table]).data_hash == first
    table.write_text(table.read_text().replace("bob,4.0", "bob,4.5"))
    assert record_dataset.build(tmp_path, CUSTOMERS, [table]).data_hash != first


def test_many_records_keep_their_order_over_parts(tmp_path, table, monkeypatch):
    monkeypatch.setattr(record_dataset, "_RECORDS_OF_A_PART", 7)
    table.write_text(HEADER + "".join(f"n{i},{i},2,3,no\n" for i in range(50)))
    record_dataset.build(tmp_path, CUSTOMERS, [table])
    assert dataset.read(tmp_path, CUSTOMERS).frame["tenure"].to_list() == list(
        map(float, range(50))
    )


def test_nothing_accepted_is_too_little_and_leaves_the_dataset_that_was_there(tmp_path, table):
    before = record_dataset.build(tmp_path, CUSTOMERS, [table])
    table.write_text(HEADER + "cy,7,heavy,9,no\n")
    with pytest.raises(TooLittleDataError, match=r"0 accepted of 1 records.*people\.csv, line 2: "):
        record_dataset.build(tmp_path, CUSTOMERS, [table])
    assert dataset.read(tmp_path, CUSTOMERS).data_hash == before.data_hash


def test_a_case_without_a_contract_has_no_records(tmp_path, table):
    with pytest.raises(BadInputError, match="case spikes: it has no contract of records"):
        record_dataset.build(tmp_path, SPIKES, [table])


def test_a_dataset_of_another_contract_is_refused(tmp_path, table):
    record_dataset.build(tmp_path, CUSTOMERS, [table])
    place = tmp_path / "datasets" / "customers.json"
    place.write_text(place.read_text().replace(CUSTOMERS.feature_set, "other"))
    with pytest.raises(ForeignFeaturesError, match="feature set other"):
        dataset.read(tmp_path, CUSTOMERS)


def test_the_rows_of_a_dataset_are_those_of_a_table_without_files(tmp_path, table):
    whole = customers(200).frame
    in_words = whole.with_columns(left=whole["left"].replace_strict({0.0: "no", 1.0: "yes"}))
    in_words.write_csv(table, float_precision=17)
    record_dataset.build(tmp_path, CUSTOMERS, [table])
    one, two = (CUSTOMERS.table(f) for f in (whole, dataset.read(tmp_path, CUSTOMERS).frame))
    assert one.x.tobytes() == two.x.tobytes()  # exact: decimals as they were read
    assert one.outcome.tolist() == two.outcome.tolist()
    assert one.order.tolist() == two.order.tolist()


def test_a_name_that_is_no_utf_8_can_be_shown(tmp_path):
    path = tmp_path / os.fsdecode(b"x\xff.csv")
    path.write_text(HEADER + "\n".join(ROWS))
    manifest = record_dataset.build(tmp_path / "home", CUSTOMERS, [path])
    assert manifest.files == {"x\\xff.csv": len(ROWS)}
    assert {each.file for each in manifest.first_refused} == {"x\\xff.csv"}
