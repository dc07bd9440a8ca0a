"""Datasets and models by the command line, of a case whose records are files."""

import json


def test_a_dataset_of_records_says_what_was_refused_and_where(run, people):
    file = people(40, b"nonsense", b'{"customerID": "\\u001b[2J"}')
    words = ("dataset", file, "--case", "churn", "--home", "h")
    code, out, _ = run(*words, "--json")
    made = json.loads(out)
    assert (code, made["rows"], made["refused"]) == (0, 40, {"missing_field": 1, "not_json": 1})
    code, out, _ = run(*words)
    shown = " ".join(out.split())
    assert "40 of 40 rows" in shown
    assert "people.ndjson, line 41:" in shown


def test_a_dataset_of_records_needs_files(run):
    code, out, err = run("dataset", "--case", "churn", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_too_few_records_for_a_training_are_said(run, people):
    run("dataset", people(40), "--case", "churn", "--home", "h")
    code, out, err = run("train", "--case", "churn", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
