"""A table reads alike whatever stands between its cells, in any order and case of its columns."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.record_file import lines
from barograph.cases.table_header import TableHeader, read
from barograph.errors import BadInputError
from customers import STREAM

CONTRACT = STREAM.contract
COLUMNS = ("name", "tenure", "charges", "calls", "left")

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
people = st.tuples(
    texts.map(str.strip).filter(bool), *[st.integers(0, 1000)] * 3, st.sampled_from(["no", "yes"])
)
spellings = st.sampled_from([str, str.upper, str.title, str.casefold])


@st.composite
def tables(draw):
    """Rows, and the bytes of a table of them as some program may have written it."""
    rows = draw(st.lists(people, min_size=1, max_size=5))
    order = draw(st.permutations(range(len(COLUMNS))))
    number = draw(st.sampled_from(["{}", "{}.0", "{}.00", " {} "]))
    text = io.StringIO()
    text.write(draw(st.sampled_from(["", "\n", "sep=,\n"])))
    writer = csv.writer(
        text,
        delimiter=draw(st.sampled_from(",;\t|")),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    spelled = draw(spellings)
    writer.writerow([spelled(COLUMNS[at]) for at in order])
    for row in rows:
        cells = [number.format(cell) if isinstance(cell, int) else cell for cell in row]
        writer.writerow([cells[at] for at in order])
    text.write(draw(st.sampled_from(["", "\n", "\r\n\r\n", " \n"])))
    content = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.getvalue().encode()
    return rows, gzip.compress(content) if draw(st.booleans()) else content


@given(tables())
def test_the_same_records_come_out_however_a_table_is_written(tmp_path_factory, table):
    rows, content = table
    path = tmp_path_factory.mktemp("table") / "people.csv"
    path.write_bytes(content)
    read = [CONTRACT.decode(line.value) for line in lines(path, CONTRACT)]
    assert [(p.name, p.tenure, p.charges, p.calls, p.left) for p in read] == rows
    assert [line.key for line in lines(path, CONTRACT)] == [row[0] for row in rows]


def header_of(text):
    return read(Path("people.csv"), iter(text.splitlines(keepends=True)), CONTRACT)


def test_a_field_is_the_column_of_its_exact_name_where_two_differ_in_case_alone():
    header = header_of("NAME,Tenure,tenure,charges,calls,LEFT\n")
    assert header.names == ["name", "Tenure", "tenure", "charges", "calls", "left"]


def test_the_delimiter_is_the_one_that_separates_most_fields():
    names = ["a,b", *COLUMNS]
    assert header_of("a,b;name;tenure;charges;calls;left\n") == TableHeader(";", names, 1)


def test_a_header_goes_on_where_a_quoted_name_has_several_lines():
    header = header_of('"a\nnote",name,tenure,charges,calls,left\nann')
    assert (header.names[0], header.lines) == ("a\nnote", 2)


REFUSED = {
    "cells apart by spaces": (
        "name tenure charges calls left\n",
        (
            "line 1: no column name, tenure, charges, calls; the header is one cell, "
            "name tenure charges call…. Separate cells by a comma or semicolon or tab or pipe."
        ),
    ),
    "no header": (
        "ann,1,2,3,yes\n",
        (
            "line 1: no column name, tenure, charges, calls; the header has ann, 1, 2, 3 and 1 more"
            ". Give the table of this case with its header."
        ),
    ),
    "a field absent": (
        "Name;tenure;calls;left\n",
        "line 1: no column charges; the header has Name, tenure, calls, left. Give",
    ),
    "a field twice": (
        "name,TENURE,Tenure,charges,calls\n",
        "line 1: duplicate column tenure. Remove one of them.",
    ),
    "a quote that never ends": ('name,"tenure\n', "no column name, tenure, charges, calls; the"),
    "blank lines alone": ("\n \n", "line 2: no column name"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_header_of_another_kind_is_refused_in_one_line_that_shows_it(what):
    text, why = REFUSED[what]
    with pytest.raises(BadInputError) as refused:
        header_of(text)
    assert why in str(refused.value)


def test_columns_without_a_name_are_left_out(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(",name,tenure,charges,calls,left,\n0,ann,1,2,3,yes,\n")
    (line,) = lines(path, CONTRACT)
    assert line.value == b'{"name":"ann","tenure":1,"charges":2,"calls":3,"left":"yes"}'
