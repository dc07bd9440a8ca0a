"""A file of which nothing can be read is no success, and is said so in one line."""

import json

from coinbase_messages import ticker
from homes import recorded
from recorded_sessions import session
from verb_processes import Life


def test_a_file_of_dead_letters_alone_ends_with_2_each_time(tmp_path):
    table = tmp_path / "ticks.csv"
    table.write_text("time,price,bid,ask\n" + "1,2,3,4\n" * 5000, encoding="utf-8")
    for _ in range(2):
        code, out, err = Life("replay", table, "--home", tmp_path / "home").end()
        assert code == 2
        assert out == b""
        (line,) = err.decode().splitlines()
        assert "none of its 5,000 lines could be read; " in line
        assert "barograph forms" in line
        assert "already replayed" not in line


def test_beside_a_good_file_it_is_told_and_the_other_is_replayed(tmp_path):
    bad = recorded(tmp_path, b'{"px": 1, "qty": 2}', name="bad.ndjson")
    good = recorded(tmp_path, *session(0, 30), name="good.ndjson")
    places = ("--home", tmp_path / "home", "--json")
    code, out, err = Life("replay", bad, good, *places).end()
    assert code == 2
    fed = json.loads(out)["feed"]
    assert list(fed["unread"]) == ["bad.ndjson"]
    assert fed["ticks"] > 10
    assert b"bad.ndjson: none of its 1 lines could be read; " in err
    # The good one is done, the other is read again.
    code, out, _ = Life("replay", bad, good, *places).end()
    fed = json.loads(out)["feed"]
    assert (code, fed["skipped"], list(fed["unread"])) == (2, ["good.ndjson"], ["bad.ndjson"])


def test_a_share_of_letters_is_a_remark_with_the_first_of_each_reason(tmp_path):
    lines = [*session(0, 60), b"garbage", ticker(61, price="NaN"), ticker(62, price="none")]
    path = recorded(tmp_path, *lines, name="half.ndjson")
    life = Life("replay", path, "--home", tmp_path / "home", "--json")
    (remark,) = [each for each in json.loads(life.answer())["feed"]["remarks"] if "refused" in each]
    assert "of the lines were refused: not_json: " in remark
    assert "(half.ndjson, " in remark
    quiet = Life(
        "replay", path, "--home", tmp_path / "quiet", "--json", BAROGRAPH_MAX_LETTER_SHARE="0.5"
    )
    assert not [each for each in json.loads(quiet.answer())["feed"]["remarks"] if "refused" in each]


def test_a_dataset_of_files_keeps_its_letters_where_they_are_listed(tmp_path):
    path = recorded(tmp_path, b"garbage", *session(0, 400), name="some.ndjson")
    home = tmp_path / "home"
    made = json.loads(Life("dataset", path, "--home", home, "--json").answer())
    assert made["dead_letters"] == {"not_json": 1}
    listed = Life("deadletters", "list", "--home", home).answer()
    assert b"some.ndjson@" in listed
    code, _, err = Life("dataset", recorded(tmp_path, b"x", name="bad"), "--home", home).end()
    assert code == 2
    assert b"none of its lines could be read; " in err
