"""How a verb speaks: one line of JSON, and no word when nobody reads on."""

import json
import subprocess
import sys

import pytest

from barograph.app.cli import answers
from barograph.app.cli.answers import as_json
from barograph.app.terminal.detail import Detail, choose

PROGRAM = """
from barograph.app.cli.answers import print_lines
print_lines(b"x" * 100 for _ in range(100_000))
"""


def test_an_answer_is_one_line_of_json():
    assert json.loads(as_json({"a": [1, None, "é\n"]})) == {"a": [1, None, "é\n"]}
    assert "\n" not in as_json({"a": "é\n"})


def test_v_prints_the_whole_answer_and_q_none(capsys):
    for detail, out in ((Detail.SUMMARY, "short\n"), (Detail.FULL, "long\n"), (Detail.QUIET, "")):
        choose(detail)
        answers.answer({}, json=False, shown=lambda: "short", full=lambda: "long")
        assert capsys.readouterr().out == out
    answers.answer({}, json=True, shown=lambda: "short")
    assert capsys.readouterr().out == "{}\n"


def test_a_refusal_is_an_object_where_json_is_wanted(capsys):
    answers.begin(["check", "--json"])
    answers.refuse("/\u202ex: it is bad.", "Mend it.")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "/\\u202ex: it is bad.", "cure": "Mend it."}
    assert err == "barograph: /\\u202ex: it is bad. Mend it.\n"


@pytest.mark.parametrize("words", [["check"], ["check", "--", "--json"]])
def test_a_refusal_is_a_line_alone_where_it_is_not(capsys, words):
    answers.begin(words)
    answers.refuse("it is bad.", "Mend it.")
    assert capsys.readouterr().out == ""


def test_behind_an_answer_no_second_object_is_printed(capsys):
    answers.begin(["check", "--json"])
    answers.answer({"ok": False}, json=True, shown=lambda: "")
    answers.refuse("it is bad.", "Mend it.")
    assert capsys.readouterr().out == '{"ok":false}\n'


@pytest.mark.slow
def test_a_reader_who_leaves_early_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"x" * 100 + b"\n"
        writer.stdout.close()
        assert (writer.stderr.read(), writer.wait(60)) == (b"", 0)
