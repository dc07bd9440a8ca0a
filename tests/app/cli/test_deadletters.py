"""Dead letters by the command line: found, looked into, mended, sent once more."""

import json
from pathlib import Path

import pytest

from barograph.cases.churn import STREAM, invent

BAD = b'{"customerID": "A", "gender": "Female"}'
WHERE = ("--case", "churn", "--home", "h")


@pytest.fixture
def refused(run, people):
    """A home in which two of five records were refused: the identities of their letters."""
    run("produce", people(3, BAD, b"\xff"), *WHERE)
    run("consume", *WHERE)
    letters = json.loads(run("deadletters", "list", *WHERE, "--json")[1])["letters"]
    return {letter["fault"]: letter["identity"] for letter in letters}


@pytest.mark.slow
def test_the_list_counts_by_fault_and_names_the_letters(run, refused):
    code, out, err = run("deadletters", "list", *WHERE)
    assert (code, err) == (0, "")
    assert f"{STREAM.dead_letters}: 2 dead letters, 0 re-driven" in out
    for identity in refused.values():
        assert identity in out
    code, out, _ = run("deadletters", "list", "--topic", STREAM.dead_letters, "--home", "h",
                       "--fault", "not_utf8", "--limit", "1", "--json")  # fmt: skip
    assert [letter["fault"] for letter in json.loads(out)["letters"]] == ["not_utf8"]


@pytest.mark.slow
def test_a_letter_is_shown_with_its_bytes(run, refused):
    identity = refused["missing_field"]
    _, out, _ = run("deadletters", "show", identity, *WHERE)
    assert '"gender": "Female"' in out  # indented, as JSON
    _, out, _ = run("deadletters", "show", identity, *WHERE, "--original")
    assert out.encode() == BAD
    _, out, _ = run("deadletters", "show", identity, *WHERE, "--json")
    assert json.loads(out)["source"] == STREAM.source
    _, out, _ = run("deadletters", "show", refused["not_utf8"], *WHERE)
    assert "00000000  ff" in out


@pytest.mark.slow
def test_a_mended_letter_is_sent_once_and_scored(run, refused, tmp_path):
    (mended,) = invent(1, 99)
    (tmp_path / "mended.json").write_bytes(mended)
    words = ("deadletters", "redrive", refused["missing_field"], "--mended", "mended.json", *WHERE)
    code, out, _ = run(*words, "--dry-run")
    assert (code, f"would be sent to {STREAM.source}: 1" in out) == (0, True)
    code, out, _ = run(*words, "--json")
    assert (code, json.loads(out)["sent"]) == (0, {STREAM.source: 1})
    code, out, _ = run(*words, "--json")
    assert (code, json.loads(out)["sent"], json.loads(out)["sent_before"]) == (0, {}, 1)
    done = json.loads(run("consume", *WHERE, "--json")[1])
    assert (done["values"], done["dead_letters"]) == (1, 0)


def test_all_can_be_sent_again_and_what_is_refused_again_is_a_new_letter(run, refused):
    code, out, _ = run("deadletters", "redrive", "--all", *WHERE, "--json")
    assert (code, json.loads(out)["sent"]) == (0, {STREAM.source: len(refused)})
    assert json.loads(run("consume", *WHERE, "--json")[1])["dead_letters"] == 2
    listing = json.loads(run("deadletters", "list", *WHERE, "--json")[1])
    identities = {letter["identity"] for letter in listing["letters"]}
    assert (len(identities), listing["redriven"]) == (4, 2)


REFUSED = {
    "nothing chosen": ("redrive",),
    "too much chosen": ("redrive", "--all", "--fault", "late"),
    "names and all": ("redrive", "x@0:1", "--all"),
    "an unknown letter": ("redrive", "x@0:1"),
    "an unknown fault": ("list", "--fault", "lost"),
    "many mended": ("redrive", "--all", "--mended", "mended.json"),
    "no file that was mended": ("redrive", "x@0:1", "--mended", "nowhere.json"),
    "a letter that is not there": ("show", "x@0:1"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_one_line(run, words):
    run("topics", "create", *WHERE)
    code, out, err = run("deadletters", *words, *WHERE)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("barograph: ")


@pytest.mark.slow
def test_letters_of_the_market_are_the_usual_ones(run, recording):
    """Their source is a file: one whose bytes are mended goes to ticks.raw, once."""
    file = recording()
    lines = file.read_bytes().splitlines()
    first = next(line for line in lines if b'"ticker"' in line)
    file.write_bytes(file.read_bytes() + b"{nonsense\n")
    run("replay", file, "--home", "h")
    listing = json.loads(run("deadletters", "list", "--home", "h", "--json")[1])
    assert (listing["topic"], listing["counts"]) == ("ticks.deadletter", {"not_json": 1})
    letter = listing["letters"][0]
    words = ("deadletters", "redrive", letter["identity"], "--home", "h", "--json")
    code, out, _ = run(*words)
    assert (code, json.loads(out)["refused_again"]) == (0, {"not_json": 1})
    Path("mended.json").write_bytes(first)
    code, out, _ = run(*words, "--mended", "mended.json")
    assert (code, json.loads(out)["sent"]) == (0, {"ticks.raw": 1})
    _, out, _ = run("deadletters", "show", letter["identity"], "--home", "h")
    for part in ("market.ndjson", "not_json", "9 bytes", "{nonsense"):
        assert part in out
    # Its second has long closed, and the featurizer says so.
    run("featurize", "--home", "h")
    listing = json.loads(run("deadletters", "list", "--home", "h", "--json")[1])
    assert listing["counts"] == {"not_json": 1, "late": 1}


@pytest.mark.slow
def test_frames_of_a_product_that_was_not_asked_for_can_be_sent_later(run, recording):
    run("replay", recording(), "--products", "ETH-USD", "--no-stages", "--home", "h")
    run("featurize", "--home", "h")
    words = ("deadletters", "redrive", "--fault", "unknown_product", "--home", "h", "--json")
    sent = json.loads(run(*words)[1])["sent"]["ticks.raw"]
    assert sent > 100
    assert json.loads(run(*words)[1])["sent"] == {}
    assert json.loads(run("check", "--min", str(sent), "--home", "h", "--json")[1])["ok"]
