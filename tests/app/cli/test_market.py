"""Replay, the stages and verify: what they answer, and how they end."""

import gzip
import json

import pytest

from barograph.log import open_log
from barograph.log.topics import FEATURES


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
