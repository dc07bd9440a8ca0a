"""A home in which an earlier version computed other features goes on, on either log."""

import json
from contextlib import closing

import pytest

from barograph.codec import decode_row
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.log import open_log
from barograph.log.topics import FEATURES
from homes import recorded
from log_contents import values
from older_features import older_package, run_older
from recorded_sessions import session
from verb_processes import Life

pytestmark = pytest.mark.operations

AN_HOUR_S = 3600


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    return older_package(tmp_path_factory.mktemp("older"))


def sets_of(address):
    """How many rows the log has of each feature set."""
    counts = {}
    with closing(open_log(address)) as log:
        for records in values(log, FEATURES).values():
            for _, value in records:
                row = decode_row(value)
                counts[row.feature_set] = counts.get(row.feature_set, 0) + 1
    return counts


def test_a_home_of_another_feature_set_goes_on(older, address, tmp_path):
    home = tmp_path / "home"
    places = ("--home", home, "--log", address)
    first = recorded(tmp_path, *session(0, 1000), name="first.ndjson")
    second = recorded(tmp_path, *session(AN_HOUR_S, 1000, 2), name="second.ndjson")
    run_older(older, "replay", first, *places)
    (older_set,) = sets_of(address)
    assert older_set != FEATURE_SET_HASH
    old_rows = sets_of(address)[older_set]

    # Nothing new has come, and each verb ends well.
    for verb in ("featurize", "score"):
        Life(verb, *places).answer()
    code, _, err = Life("replay", second, *places).end()
    assert code == 0, err.decode()
    assert b"it is made again from" in err
    now = sets_of(address)
    assert now[older_set] == old_rows
    assert now[FEATURE_SET_HASH] > 900

    verified = json.loads(Life("verify", "--json", *places).answer())
    assert verified["difference"] is None
    assert verified["foreign"] == {older_set: old_rows}
    assert verified["rows"] == now[FEATURE_SET_HASH]
    Life("check", *places).answer()
    Life("models", "list", "--home", home).answer()
    up = ("up", "--venue", "simulated", "--minutes", "0.05", "--no-retrain")
    Life(*up, "--products", "SOL-USD", *places).answer()

    # The archive of both has this version's rows of everything.
    made = json.loads(Life("dataset", "--home", home, "--json").answer())
    assert made["feature_set"] == FEATURE_SET_HASH
    assert made["products"]["BTC-USD"]["rows"] == old_rows + now[FEATURE_SET_HASH]


def test_a_state_of_another_feature_set_gives_the_rows_of_one_that_was_always_this(older, tmp_path):
    messages = session(0, 1500)
    homes = tmp_path / "upgraded", tmp_path / "always"
    half = recorded(tmp_path, *messages[:1000], name="half.ndjson")
    run_older(older, "replay", half, "--home", homes[0])
    Life("replay", half, "--home", homes[1]).answer()
    recorded(tmp_path, *messages, name="half.ndjson")  # it has grown
    rows = []
    for home in homes:
        Life("replay", half, "--home", home).answer()
        with closing(open_log(home)) as log:
            found = [value for of in values(log, FEATURES).values() for _, value in of]
        rows.append([row for row in found if decode_row(row).feature_set == FEATURE_SET_HASH])
    upgraded, always = rows
    assert len(upgraded) > 300
    assert upgraded == always[-len(upgraded) :]
