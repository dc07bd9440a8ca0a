"""Where a lake may be made, and what it has lost; `test_compact.py` has what follows from it."""

import polars as pl
import pytest

from barograph.archive.lake import INDEX, INDEX_COLUMNS, NUMBERED, PROGRESS, LakeProgress
from barograph.archive.lake_health import damage_in, going_on, refuse_unless_lake
from barograph.errors import BadInputError


@pytest.fixture
def home(tmp_path):
    (tmp_path / "H" / "archive").mkdir(parents=True)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    return tmp_path / "H"


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("s3:/bucket/x", "it is an address"),
        ("file:/srv/x", "it is an address"),
        ("{tmp}/H", "the archive is there"),
        ("{tmp}/H/archive", "the archive is there"),
        ("{tmp}/H/archive/x", "the archive is there"),
        ("{tmp}", "the archive is there"),
        ("{tmp}/file", "it is no folder"),
        ("{tmp}/else", "something else is there .thesis.tex."),
    ],
)
def test_a_lake_is_made_where_nothing_else_is(home, tmp_path, out, why):
    with pytest.raises(BadInputError, match=why):
        refuse_unless_lake(type(home)(out.format(tmp=tmp_path)), home / "archive")


def test_one_that_is_new_or_begun_is_gone_on_with(home, tmp_path):
    refuse_unless_lake(home / "parquet", home / "archive")
    assert going_on_in(tmp_path / "new") == LakeProgress(form=NUMBERED)
    refuse_unless_lake(tmp_path / "new", home / "archive")
    (tmp_path / "new" / PROGRESS).write_text('{"form": 2, "files": {"a": "b"}}')
    assert going_on_in(tmp_path / "new").files == {"a": "b"}


def going_on_in(out):
    out.mkdir(exist_ok=True)
    return going_on(out)


@pytest.mark.parametrize("progress", ["{}", None])
def test_progress_that_is_lost_beside_events_is_not_begun_again(tmp_path, progress):
    hour = tmp_path / "product=A" / "date=2025-01-01" / "hour=00.parquet"
    hour.parent.mkdir(parents=True)
    hour.write_bytes(b"x")
    if progress is not None:
        (tmp_path / PROGRESS).write_text(progress)
    with pytest.raises(BadInputError, match="there are events beside it"):
        going_on(tmp_path)
    assert hour.exists()


@pytest.mark.parametrize(
    ("rows", "damage"),
    [
        ([("A", 0, "a", 0, 4, 1, None), ("A", 1, "b", 3, 9, None, None)], ""),
        ([("A", 0, "a", 0, 4, 1, None)], "has not all events of A"),
        ([("A", 0, "a", 1, 9, 1, None)], "has not all events of A"),
        ([("A", 0, "a", 0, 4, 1, None), ("A", 1, "b", 6, 9, 1, None)], "has not all events of A"),
        ([("A", 0, "a", 0, 9, 2, None)], "a has 1 bytes, and had 2"),
        ([("A", 0, "c", 0, 9, 1, None)], "c is gone"),
    ],
)
def test_what_an_index_and_its_files_lack_is_damage(tmp_path, rows, damage):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
    pl.DataFrame(rows, schema=INDEX_COLUMNS, orient="row").write_parquet(tmp_path / INDEX)
    found = damage_in(tmp_path, LakeProgress(form=NUMBERED, files={"f": "x"}, events={"A": 10}))
    assert damage in found
    assert bool(damage) == bool(found)
