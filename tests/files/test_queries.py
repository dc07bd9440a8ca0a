import sqlite3

import pytest

from barograph.files.queries import named_queries


def test_each_query_stands_under_its_name_without_what_surrounds_it(tmp_path, monkeypatch):
    (tmp_path / "queries_of_a_test").mkdir()
    (tmp_path / "queries_of_a_test" / "__init__.py").touch()
    text = "-- What they are for.\n\n-- name: one\nSELECT 1;\n\n-- name: two\n-- Why.\nSELECT :x;\n"
    (tmp_path / "queries_of_a_test" / "some.sql").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert named_queries("queries_of_a_test", "some.sql") == {
        "one": "SELECT 1;",
        "two": "-- Why.\nSELECT :x;",
    }


@pytest.mark.parametrize(
    ("package", "file"),
    [("barograph.log", "schema.sql"), ("barograph.registry", "registry.sql")],
)
def test_every_named_query_of_the_house_is_one_whole_statement_or_more(package, file):
    queries = named_queries(package, file)
    assert queries
    assert all(sqlite3.complete_statement(query) for query in queries.values())
