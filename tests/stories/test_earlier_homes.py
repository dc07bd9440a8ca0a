"""A home that an earlier release made is restored, read and goes on in this one."""

import json
from contextlib import closing

import pytest

from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS
from golden_home import SECONDS, golden_homes, market, unpacked
from log_contents import models_in, total
from verb_processes import Life


def test_a_home_of_each_release_is_kept():
    assert golden_homes()


@pytest.mark.parametrize("packed", golden_homes(), ids=lambda path: path.name)
def test_a_home_of_an_earlier_release_goes_on(packed, tmp_path):
    home, at = tmp_path / "home", ("--home", tmp_path / "home")
    Life("restore", unpacked(packed, tmp_path), *at).answer()
    for verb in (("verify",), ("verify", "--archive"), ("archive", "verify"), ("topics", "list")):
        Life(*verb, *at).answer()
    listed = json.loads(Life("models", "list", *at, "--json").answer())["versions"]
    assert [each["version"] for each in listed] == [1]
    assert json.loads(Life("deadletters", "list", *at, "--json").answer())["letters"]
    code, answer, _ = Life("doctor", "--venue", "simulated", *at, "--json").end()
    problems = [each for each in json.loads(answer)["findings"] if each["state"] == "problem"]
    # Its model was made with an earlier feature set, and the cure says how to have another one.
    assert (code, [each["name"] for each in problems]) == (1, ["model"]), answer
    assert problems[0]["cure"].startswith("Train again (`barograph dataset --case spikes && ")
    with closing(open_log(home)) as log:
        before = {topic: total(log, topic) for topic in (TICKS, FEATURES, PREDICTIONS)}
        assert models_in(log, PREDICTIONS) == {"spikes/1"}
    assert all(before.values())

    recording = tmp_path / "more.ndjson"
    recording.write_bytes(market(SECONDS, 20))
    Life("replay", recording, *at).answer()
    with closing(open_log(home)) as log:
        after = {topic: total(log, topic) for topic in before}
    assert all(after[topic] > before[topic] for topic in before)
    Life("verify", "--archive", *at).answer()
    Life("backup", tmp_path / "again", *at).answer()
