"""Replay, the stages and verify: what they answer, and how they end."""

import gzip
import json
from collections import Counter
from contextlib import closing

import pytest

from barograph.cases.cold_start import COLD_START
from barograph.codec import decode_prediction
from barograph.log import browse, open_log
from barograph.log.topics import FEATURES, PREDICTIONS
from barograph.registry.registry import Registry
from registered_models import facts_of, graph


@pytest.mark.slow
def test_a_replay_says_what_it_took_and_gave(run, recording):
    file = recording()
    code, out, _ = run("replay", file, "--home", "h", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["feed"]["ticks"] + answer["feed"]["heartbeats"] == answer["featurizer"]["records"]
    assert answer["featurizer"]["values"] == answer["scorer"]["values"] > 80
    code, out, _ = run("replay", file, "--home", "h")
    assert (code, "already replayed" in out) == (0, True)
    code, out, _ = run("verify", "--home", "h")
    assert (code, "identical" in out) == (0, True)


@pytest.mark.slow
def test_a_file_that_is_refused_leaves_no_home(run, recording, tmp_path):
    (tmp_path / "empty.ndjson").touch()
    (tmp_path / "nothing.ndjson.gz").write_bytes(gzip.compress(b""))
    for refused in ("none.ndjson", "empty.ndjson", "nothing.ndjson.gz", tmp_path, "/dev/zero"):
        for verb in ("replay", "dataset"):
            code, out, err = run(verb, recording(), refused, "--home", "h")
            assert (code, out, err.count("\n")) == (2, "", 1), err
            assert str(refused) in err
    assert not (tmp_path / "h").exists()


@pytest.mark.slow
def test_the_stages_can_be_run_one_by_one(run, recording):
    run("replay", recording(), "--home", "h")
    for verb in ("featurize", "score"):
        code, out, _ = run(verb, "--home", "h", "--json")
        assert (code, json.loads(out)["values"]) == (0, 0)  # replay has done it all
    code, out, _ = run("score", "--shadow", "--home", "h", "--json")
    passed_over = json.loads(out)
    assert (code, passed_over["records"] > 80, passed_over["values"]) == (0, True, 0)


@pytest.mark.slow
def test_what_was_scored_can_be_scored_again_with_another_champion(run, recording, tmp_path):
    file, home = recording(), tmp_path / "h"
    first = json.loads(run("replay", file, "--home", home, "--json")[1])["scorer"]["values"]
    registry, onnx = Registry(home), graph()
    registry.register("spikes", onnx, facts_of(onnx))
    registry.promote("spikes", 1, "the first")

    def models():
        with closing(open_log(home)) as log:
            records = list(browse.records(log, PREDICTIONS))
        return Counter(decode_prediction(record.value).model for record in records)

    code, out, err = run("score", "--from", "oldest", "--home", home, "--json")
    assert (code, err, json.loads(out)["values"]) == (0, "", first)
    assert models() == {COLD_START: first, "spikes/1": first}
    code, out, _ = run("score", "--home", home, "--json")
    assert (code, json.loads(out)["records"]) == (0, 0)  # its own place stays
    code, out, _ = run("replay", file, "--home", home, "--again", "--json")
    answer = json.loads(out)
    assert (code, answer["feed"]["ticks"], answer["scorer"]["values"]) == (0, 0, first)
    assert models() == {COLD_START: first, "spikes/1": 2 * first}


AGAIN = {
    "shadow": ("score", "--from", "oldest", "--shadow"),
    "follow": ("score", "--from", "oldest", "--follow"),
    "no stages": ("replay", "x.ndjson", "--again", "--no-stages"),
}


@pytest.mark.parametrize("words", AGAIN.values(), ids=AGAIN)
def test_what_cannot_be_scored_again_is_refused(run, words):
    code, out, err = run(*words, "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Leave" in err


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


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_becomes_a_dead_letter_and_stops_nothing(run, recording, bad):
    file = recording()
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:50], bad, *lines[50:]]) + b"\n")
    code, out, err = run("replay", file, "--home", "h", "--json")
    feed = json.loads(out)["feed"]
    assert code == 0
    assert sum(feed["dead_letters"].values()) == 1
    assert feed["ticks"] + feed["heartbeats"] == len(lines)
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_truncated_gzip_gives_all_its_whole_lines_and_one_dead_letter(run, recording):
    whole = recording().read_bytes()
    packed = gzip.compress(whole)
    file = recording("market.ndjson.gz")
    file.write_bytes(packed[: len(packed) // 2])
    code, out, _ = run("replay", file, "--home", "h", "--json")
    feed = json.loads(out)["feed"]
    assert code == 0
    assert feed["ticks"] > 0
    assert feed["dead_letters"] == {"truncated": 1}


@pytest.mark.slow
def test_feed_and_stages_may_be_processes_of_their_own(run, recording, tmp_path, signalled):
    """The featurizer follows until it is told to stop, commits what it has and says so."""
    file = recording()
    code, out, _ = run("replay", file, "--home", "h", "--no-stages", "--json")
    fed = json.loads(out)
    assert (code, fed["featurizer"]["records"], fed["scorer"]["records"]) == (0, 0, 0)
    _, shown, _ = run("replay", file, "--home", "h", "--no-stages")
    assert "feature rows" not in shown

    def all_featurized():
        log = open_log(tmp_path / "h")
        rows = sum(extent.next for extent in log.extents(FEATURES))
        log.close()
        return rows > 80

    signaller = signalled(all_featurized)
    code, out, err = run("featurize", "--follow", "--home", "h", "--json")
    signaller.join()
    done = json.loads(out)
    assert (code, err) == (0, "")
    assert done["records"] == fed["feed"]["ticks"] + fed["feed"]["heartbeats"]
    code, out, _ = run("featurize", "--home", "h", "--json")
    assert (code, json.loads(out)["records"]) == (0, 0)  # nothing is left, and nothing done twice
    code, out, _ = run("score", "--home", "h", "--json")
    assert (code, json.loads(out)["values"]) == (0, done["values"])
