"""The command line: clear answers, clear refusals, no traceback, quick help."""

import gzip
import json
import subprocess
import sys

import pytest

from barograph import cli
from barograph.market import PRESETS
from barograph.simulator import SimulatedMarket


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command line in this process: (exit code, standard output, standard error)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["barograph", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return call


def recording(path, seconds=90):
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
    path.write_bytes(b"\n".join(frame.data for frame in market.advance(seconds)) + b"\n")
    return path


def test_a_replay_says_what_it_took_and_gave(run, tmp_path):
    file = recording(tmp_path / "market.ndjson")
    code, out, _ = run("replay", file, "--home", "h", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["feed"]["ticks"] + answer["feed"]["heartbeats"] == answer["featurizer"]["records"]
    assert answer["featurizer"]["values"] == answer["scorer"]["values"] > 80
    code, out, _ = run("replay", file, "--home", "h")
    assert (code, "replayed before" in out) == (0, True)
    code, out, _ = run("verify", "--home", "h")
    assert (code, "the same bytes" in out) == (0, True)


def test_the_stages_can_be_run_one_by_one(run, tmp_path):
    run("replay", recording(tmp_path / "market.ndjson"), "--home", "h")
    for verb in ("featurize", "score"):
        code, out, _ = run(verb, "--home", "h", "--json")
        assert (code, json.loads(out)["values"]) == (0, 0)  # replay has done it all


BAD_LINES = {
    "not json": b"{nonsense",
    "an array": b"[1, 2]",
    "wrong types": b'{"type":"ticker","product_id":7,"price":{}}',
    "nan price": b'{"type":"ticker","product_id":"X","price":"NaN","best_bid":"1","best_ask":"2",'
    b'"time":"2026-01-01T00:00:00Z"}',
    "negative price": b'{"type":"ticker","product_id":"X","price":"-1","best_bid":"1",'
    b'"best_ask":"2","time":"2026-01-01T00:00:00Z"}',
    "crossed quote": b'{"type":"ticker","product_id":"X","price":"1","best_bid":"2",'
    b'"best_ask":"1","time":"2026-01-01T00:00:00Z"}',
    "not utf-8": b'{"type":"\xff\xfe"}',
    "10 MB": b'{"type":"ticker","pad":"' + b"x" * 10_000_000 + b'"}',
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_becomes_a_dead_letter_and_stops_nothing(run, tmp_path, bad):
    file = recording(tmp_path / "market.ndjson")
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:50], bad, *lines[50:]]) + b"\n")
    code, out, err = run("replay", file, "--home", "h", "--json")
    feed = json.loads(out)["feed"]
    assert code == 0
    assert sum(feed["dead_letters"].values()) == 1
    assert feed["ticks"] + feed["heartbeats"] == len(lines)
    assert "Traceback" not in err


def test_a_truncated_gzip_gives_all_its_whole_lines_and_one_dead_letter(run, tmp_path):
    whole = recording(tmp_path / "market.ndjson").read_bytes()
    packed = gzip.compress(whole)
    file = tmp_path / "market.ndjson.gz"
    file.write_bytes(packed[: len(packed) // 2])
    code, out, _ = run("replay", file, "--home", "h", "--json")
    feed = json.loads(out)["feed"]
    assert code == 0
    assert feed["ticks"] > 0
    assert feed["dead_letters"] == {"truncated": 1}


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
    "a log of another world": ("verify", "--log", "kafka://localhost:9092"),
    "an impossible speed": ("replay", "empty.ndjson", "--speed", "fast"),
    "a speed of zero": ("replay", "empty.ndjson", "--speed", "0"),
    "an unknown zone": ("replay", "empty.ndjson", "--zone", "Moon/Base"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_one_line_that_says_what_to_do(run, tmp_path, words):
    (tmp_path / "empty.ndjson").touch()
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("barograph: ")
    assert err.count("\n") == 1
    assert err.rstrip().endswith(".")


def test_a_setting_that_cannot_be_is_refused_by_name(run, monkeypatch):
    monkeypatch.setenv("BAROGRAPH_FOLDS", "1")
    code, _, err = run("verify")
    assert code == 2
    assert "folds" in err


def test_a_settings_file_that_is_no_toml_is_refused(run, tmp_path):
    (tmp_path / "barograph.toml").write_text("folds = = 3")
    code, _, err = run("verify")
    assert (code, err.count("\n")) == (2, 1)
    assert "barograph.toml" in err


def test_no_model_yet_is_said_and_no_error(run):
    code, out, _ = run("models", "list", "--home", "h")
    assert (code, "no version of spikes yet" in " ".join(out.split())) == (0, True)


def test_help_and_version_need_nothing_heavy():
    program = (
        "import sys; sys.argv = ['barograph', '--help']\n"
        "from barograph.cli import main\n"
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
