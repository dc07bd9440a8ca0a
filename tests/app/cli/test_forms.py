"""What a file looks like, and forms of one's own, by the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from barograph.archive.recording import Recorded, Recording
from barograph.venues.forms.own import form_of
from coinbase_messages import ticker
from recorded_forms import flat, invented, lines, table

PAGE = Path(__file__).parents[3] / "docs" / "recordings.md"
HOME = ("--home", "h")
QUOTES = [
    {"unix_timestamp": quote["time_ns"] / 1e9, "bid": quote["bid"], "ask": quote["ask"]}
    for quote in invented(12)
]


@pytest.fixture
def quotes(tmp_path):
    path = tmp_path / "quotes.csv"
    path.write_bytes(table(QUOTES))
    return path


def test_known_forms_are_listed_with_a_line_of_each(run):
    code, out, _ = run("forms", "--json")
    known = json.loads(out)["forms"]
    assert (code, len(known) > 5) == (0, True)
    code, out, _ = run("forms")
    assert code == 0
    assert all(form["name"] in out for form in known)


def test_a_file_is_shown_with_a_form_that_reads_it(run, quotes, tmp_path):
    code, out, _ = run("forms", quotes, "--json")
    seen = json.loads(out)
    assert (code, seen["container"], "no product" in seen["problem"]) == (0, "table (CSV)", True)
    (tmp_path / "own.toml").write_text(seen["toml"])
    code, out, _ = run("replay", quotes, "--form", "own.toml", "--no-stages", *HOME, "--json")
    fed = json.loads(out)["feed"]
    assert (code, fed["ticks"], fed["dead_letters"]) == (0, 12, {})
    assert fed["forms"] == {
        "quotes.csv": "1 form in a table (CSV): your own form, recorder's clock `unix_timestamp`"
        " (s), no trades (price is the middle of bid and ask), no sizes, no ids"
    }


def test_the_form_alone_is_a_file_to_correct(run, quotes, tmp_path):
    code, out, err = run("forms", quotes, "--toml")
    assert (code, err) == (0, "")
    (tmp_path / "own.toml").write_text(out)
    code, out, _ = run("replay", quotes, "--form", "own.toml", "--no-stages", *HOME, "--json")
    assert (code, json.loads(out)["feed"]["ticks"]) == (0, 12)


def test_frames_have_no_form_to_print(run, tmp_path):
    (tmp_path / "frames.ndjson").write_text(json.dumps(ticker()) + "\n")
    code, out, err = run("forms", "frames.ndjson", "--toml")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "frames need no form" in err


def test_the_page_says_what_is_missing_and_writes_the_form(run, quotes):
    code, out, err = run("forms", quotes)
    assert (code, err) == (0, "")
    for part in ("table (CSV)", "no product", "[constants]", 'time = "unix_timestamp"'):
        assert part in out


def test_what_was_settled_is_said_once_for_each_file(run, tmp_path):
    for name in ("a.ndjson", "b.ndjson"):
        first = 0 if name == "a.ndjson" else 20
        written = [flat(quote) for quote in invented(40)[first : first + 15]]
        (tmp_path / name).write_bytes(lines(written))
    code, out, _ = run("replay", "a.ndjson", "b.ndjson", "--no-stages", *HOME)
    assert code == 0
    assert " ".join(out.split()).count("1 form: flat, venue's clock `timestamp`") == 1
    assert "a.ndjson and 1 more" in " ".join(out.split())


def test_a_dataset_is_built_by_a_form_of_ones_own(run, quotes, tmp_path):
    _, out, _ = run("forms", quotes, "--json")
    (tmp_path / "own.toml").write_text(json.loads(out)["toml"])
    code, out, _ = run("dataset", quotes, "--form", "own.toml", *HOME, "--json")
    made = json.loads(out)
    assert (code, made["events"]["tick"], list(made["products"])) == (0, 12, ["BTC-USD"])
    assert "your own form" in made["forms"]["quotes.csv"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("x", "no TOML"), ("[fields]\nbid = 'b'", "needs time"), ("\udcff", "utf-8")],
)
def test_a_form_without_sense_is_refused_in_one_line(run, quotes, tmp_path, text, says):
    (tmp_path / "own.toml").write_bytes(text.encode(errors="surrogateescape"))
    for verb in ("replay", "forms"):
        code, out, err = run(verb, quotes, "--form", "own.toml")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert says in err
        assert "own.toml" in err
    code, _, err = run("forms", quotes, "--form", "none.toml")
    assert (code, "none.toml" in err) == (2, True)


@pytest.mark.slow
def test_a_recording_comes_through_standard_input():
    done = subprocess.run(
        [sys.executable, "-c", "from barograph.app.cli import main; main()",
         "replay", "-", "--no-stages", *HOME, "--json"],
        input=lines([flat(quote) for quote in invented(5)]), capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["feed"]["ticks"] == 5


def test_every_form_of_the_page_is_one():
    page = PAGE.read_text(encoding="utf-8")
    forms = re.findall(r"<!-- form -->\n```toml\n(.*?)```", page, re.DOTALL)
    assert len(forms) > 5
    assert all(form_of(form).fields for form in forms)


def test_the_forms_of_the_page_read_the_recordings_that_they_are_for(data):
    page = PAGE.read_text(encoding="utf-8")
    forms = re.findall(r"<!-- form -->\n```toml\n(.*?)```", page, re.DOTALL)
    files = (
        "unix_seconds_bid_ask_mid.csv", "csv_mid_spread_100ms.csv", "bid_ask_on_two_rows.csv",
        "hftbacktest_ns_space_json.txt", "orderbook_levels_wide.csv",
        "features_window_end_ts_mid.parquet",
    )  # fmt: skip
    for name, form in zip(files, forms, strict=True):
        read = list(Recording(data / "forms" / name, form=form_of(form)))
        assert sum(isinstance(entry, Recorded) for entry in read) > 0, name
        assert sum(not isinstance(entry, Recorded) for entry in read) < 2, name
