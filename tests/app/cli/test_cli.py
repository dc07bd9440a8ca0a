"""The command line as a whole: clear refusals, no traceback, quick help."""

import json
import subprocess
import sys

import pytest

from barograph import __version__

REFUSED = {
    "an empty file": ("replay", "empty.ndjson", "--home", "h"),
    "a missing file": ("replay", "nowhere.ndjson", "--home", "h"),
    "a folder": ("replay", ".", "--home", "h"),
    "no log": ("verify", "--home", "nowhere"),
    "no log at an address": ("verify", "--log", "sqlite:///nowhere/log.sqlite"),
    "nothing to featurize": ("featurize", "--home", "nowhere"),
    "no archive": ("dataset", "--home", "nowhere"),
    "no dataset": ("train", "--home", "nowhere"),
    "an unknown case": ("train", "--case", "weather", "--home", "h"),
    "no such model": ("models", "show", "7", "--home", "h"),
    "no champion": ("models", "show", "--home", "h"),
    "nothing to roll back": ("models", "rollback", "--home", "h"),
    "an unknown alias": ("models", "show", "best", "--home", "h"),
    "a log of another world": ("verify", "--log", "postgres://localhost/log"),
    "an impossible speed": ("replay", "empty.ndjson", "--speed", "fast"),
    "a speed of zero": ("replay", "empty.ndjson", "--speed", "0"),
    "an unknown zone": ("replay", "empty.ndjson", "--zone", "Moon/Base"),
}


@pytest.mark.slow
@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_one_line_that_says_what_to_do(run, tmp_path, words):
    (tmp_path / "empty.ndjson").touch()
    (tmp_path / "h").mkdir()
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("barograph: ")
    assert err.count("\n") == 1
    assert err.rstrip().endswith(".")


def test_a_refusal_in_json_is_an_object_with_its_cure(run):
    code, out, err = run("verify", "--home", "nowhere", "--json")
    refusal = json.loads(out)
    assert code == 2
    assert set(refusal) == {"error", "cure"}
    assert err == f"barograph: {refusal['error']} {refusal['cure']}\n"


WRONG = {
    "an unknown option": ("check", "--mim", "3"),
    "an unknown verb": ("chekc",),
    "a value out of range": ("check", "--min", "-1"),
    "a missing argument": ("replay",),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_is_one_line_that_names_the_help(run, words):
    code, out, err = run(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("barograph: ")
    assert " --help`.\n" in err
    code, out, again = run(*words, "--json")
    assert (code, again) == (2, err)
    refusal = json.loads(out)
    assert err == f"barograph: {refusal['error']} {refusal['cure']}\n"


@pytest.mark.slow
def test_help_and_version_need_nothing_heavy():
    program = (
        "import sys; sys.argv = ['barograph', '--help']\n"
        "from barograph.app.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'numba', 'polars', 'mlflow', 'lightgbm', 'onnxruntime', 'sklearn',"
        " 'pydantic', 'msgspec'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "replay" in done.stdout


def test_the_version_is_shown_without_a_verb(run):
    for option in ("-V", "--version"):
        code, out, _ = run(option)
        assert (code, out.strip()) == (0, __version__)
