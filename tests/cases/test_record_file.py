"""Files of records: every record comes out once, judged by nobody yet."""

import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.contract import RecordRefusedError
from barograph.cases.record_file import MAX_LINE_BYTES, RecordLine, lines
from barograph.errors import BadInputError, FileChangedError
from barograph.types import Fault
from customers import STREAM

CONTRACT = STREAM.contract
HEADER = "name,tenure,charges,calls,left\n"


@pytest.fixture
def of(tmp_path):
    def read(content, suffix=".csv"):
        path = tmp_path / f"records{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(lines(path, CONTRACT))

    return read


def fault(line):
    with pytest.raises(RecordRefusedError) as refused:
        CONTRACT.decode(line.value)
    return refused.value.fault


def test_each_line_of_a_table_is_a_record_with_its_key_and_its_line(of):
    one, two = of(HEADER + "ann,1,2.50,3,yes\n\nbob,4,5,6,\n")
    assert one == RecordLine(2, "ann", CONTRACT.from_text(dict(zip(
        HEADER.strip().split(","), ["ann", "1", "2.50", "3", "yes"], strict=True
    ))))  # fmt: skip
    assert (two.number, two.key) == (4, "bob")
    assert CONTRACT.decode(two.value).left is None


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(of):
    plain = of(HEADER + "ann,1,2,3,yes\n")
    assert (
        of(b"\xef\xbb\xbf" + (HEADER + "ann,1,2,3,yes\n").replace("\n", "\r\n").encode()) == plain
    )


def test_a_cell_of_several_lines_is_one_cell(of):
    one, two = of(HEADER + '"a\n\nb",1,2,3,no\nbob,1,2,3,no\n')
    assert [one.number, two.number] == [2, 5]
    assert one.key == "a\n\nb"


def test_columns_that_nobody_asked_for_come_along(of):
    (line,) = of("note," + HEADER + "hello,ann,1,2,3,yes\n")
    assert json.loads(line.value)["note"] == "hello"
    assert CONTRACT.decode(line.value).name == "ann"


@pytest.mark.parametrize("row", ["ann,1,2,3", "ann,1,2,3,no,no"])
def test_a_line_with_another_number_of_cells_is_kept_to_be_refused(of, row):
    line, sound = of(HEADER + row + "\nbob,1,2,3,no\n")
    assert json.loads(line.value) == row.split(",")
    assert line.key == "ann"
    assert fault(line) is Fault.WRONG_SHAPE
    assert CONTRACT.decode(sound.value).name == "bob"


@pytest.mark.parametrize("row", [b"z\xe9,1,2,3,no", b"z\xe9,1,2", b"ann,1,2,3,\xff"])
def test_a_line_that_is_not_utf8_keeps_its_bytes_to_be_refused(of, row):
    line, _ = of(HEADER.encode() + row + b"\nbob,1,2,3,no\n")
    assert b"\xe9" in line.value or b"\xff" in line.value
    assert fault(line) is Fault.NOT_UTF8
    assert line.key in {"z\ufffd", "ann"}


def test_lines_of_json_are_given_byte_for_byte(of):
    good = b'{"name": "ann", "tenure":1,"charges":2, "calls":3}'
    bad = [b'{"tenure": 1}', b"no json", b"[1]", b'{"name": 7}', b'{"name": "\xff"}', b"[" * 5000]
    given_lines = of(b"\n".join([good, b"", *bad]), ".ndjson")
    assert [line[:3] for line in given_lines] == [
        (1, "ann", good),
        *((n, "", v) for n, v in enumerate(bad, 3)),
    ]


@pytest.mark.parametrize("suffix", [".ndjson", ".json", ".jsonl.gz", ""])
def test_lines_of_json_are_known_by_their_content_and_spelled_as_the_contract_does(of, suffix):
    text = b'\xef\xbb\xbf\n{"NAME":"ann","Tenure":1.0,"charges":2.50,"calls":3,"LEFT":"yes"}\n\n'
    (line,) = of(gzip.compress(text) if suffix.endswith("gz") else text, suffix)
    assert line == RecordLine(
        2, "ann", b'{"name":"ann","tenure":1.0,"charges":2.50,"calls":3,"left":"yes"}'
    )


@pytest.mark.parametrize("row", ["ann,1,2,3,no,", "ann,1,2"])
def test_a_table_without_a_row_as_long_as_its_header_is_refused_with_both_lengths(of, row):
    with pytest.raises(BadInputError, match=rf"line 2: {row.count(',') + 1} cells, the header has"):
        of(HEADER + f"{row}\n{row}\n")


def test_a_file_whose_json_has_no_field_of_the_case_is_refused_with_what_it_has(of):
    text = '{"type":"ticker","price":"1"}\n' * 3
    with pytest.raises(BadInputError, match="line 1: no field of this case in type, price, and no"):
        of(text, ".ndjson")


FORMS = {
    "UTF-16": HEADER.encode("utf-16"),
    "Parquet": b"PAR1\x15\x04",
    "it is a workbook or a zip": b"PK\x03\x04",
    "it is an Excel workbook": b"\xd0\xcf\x11\xe0",
    "JSON array": b' [{"name": "ann"}]',
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_file_of_another_form_is_refused_by_the_name_of_the_form(of, form, packed):
    with pytest.raises(BadInputError, match=rf"{form}\. Export it as CSV in UTF-8"):
        of(packed(FORMS[form]))


def test_a_compressed_file_that_ends_early_is_refused(of):
    content = gzip.compress((HEADER + "ann,1,2,3,no\n" * 999).encode())
    with pytest.raises(BadInputError, match=r"the gzip stream ends early\. Fetch"):
        of(content[:-20])


def test_a_table_without_the_outcome_is_read_unless_the_outcome_is_needed(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("name,tenure,charges,calls\nann,1,2,3\n")
    (line,) = lines(path, CONTRACT)
    assert CONTRACT.decode(line.value).left is None
    with pytest.raises(BadInputError, match="line 1: no column left, and a dataset needs outcomes"):
        list(lines(path, CONTRACT, outcome=True))


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(
    str.strip
)
rows = st.lists(
    st.tuples(names.filter(bool), *[st.integers(0, 1000)] * 3, st.sampled_from(["no", "yes", ""]))
)


@given(rows)
def test_every_record_of_a_table_comes_out_once_and_in_order(tmp_path_factory, rows):
    written = io.StringIO(HEADER, newline="")
    written.seek(0, io.SEEK_END)
    csv.writer(written).writerows(rows)
    path = tmp_path_factory.mktemp("table") / "records.csv"
    path.write_bytes(written.getvalue().encode())
    customers = [CONTRACT.decode(line.value) for line in lines(path, CONTRACT)]
    assert [(c.name, c.tenure, c.charges, c.calls, c.left or "") for c in customers] == rows


UNREADABLE = {
    "nothing": ("", "it is empty"),
    "another table": ("time,open,close\n1,2,3\n", "line 1: no column name, tenure, charges, calls"),
    "a recording": (
        '{"type":"ticker"}\n',
        "line 1: no field of this case in type, and no record fits",
    ),
    "a column twice": ("name,tenure,tenure,charges,calls\n", "duplicate column tenure"),
    "a quote that never ends": (HEADER + 'ann,1,2,3,no\n"bob,1\n2,3', "line 3: unexpected end"),
    "a quote inside a cell": (HEADER + '"ann"x,1,2,3,no\n', "line 2: "),
    "an endless line": (HEADER + "x" * (MAX_LINE_BYTES + 1), "line 2: it is longer than 4,194,304"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_is_no_table_of_the_case_is_refused_with_the_line(of, what):
    content, why = UNREADABLE[what]
    with pytest.raises(BadInputError) as refused:
        of(content)
    assert why in str(refused.value)


def test_a_cell_of_a_megabyte_is_read_for_the_contract_to_refuse(of):
    [line] = of(HEADER + "x" * (1 << 20) + ",1,2,3,no\n")
    with pytest.raises(RecordRefusedError) as refused:
        CONTRACT.decode(line.value)
    assert refused.value.fault is Fault.TOO_LONG


def test_an_endless_line_of_json_is_refused(of):
    with pytest.raises(BadInputError, match="line 2: it is longer"):
        of(b"{}\n" + b"x" * (MAX_LINE_BYTES + 2), ".jsonl")


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(BadInputError, match=r"nowhere\.csv: No such file.*Name a readable file"):
        list(lines(tmp_path / "nowhere.csv", CONTRACT))


def test_a_header_alone_has_no_records(of):
    assert of(HEADER) == []


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text(HEADER + "ann,1,2.1,3,yes\n" * 5)
    reading = lines(path, CONTRACT)
    next(reading)
    path.write_text(HEADER + "bob,1,2.1,3,yes\n" * 5)
    with pytest.raises(FileChangedError, match="changed while it was read"):
        list(reading)
