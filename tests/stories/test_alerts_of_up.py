"""What a user of `up` hears: a command is run for an alert, and the list knows it afterwards."""

import json
import shlex
import sys

import pytest

from verb_processes import Life
from waiting import until

APPEND = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"


@pytest.mark.slow
def test_up_runs_a_command_for_each_change_of_an_alert(tmp_path, made_home):
    assert made_home
    out, home = tmp_path / "notes", tmp_path / "home"
    command = shlex.join([sys.executable, "-c", APPEND, str(out)])
    life = Life(
        "up", "--venue", "simulated", "--products", "BTC-USD", "--no-retrain", "--no-web",
        "--minutes", "10", "--home", home, "--on-alert", command,
        BAROGRAPH_ALERT_FEED_AGE_S="0.001", BAROGRAPH_HEALTH_EVERY_S="0.1",
    )  # fmt: skip
    try:
        until(lambda: out.exists() and out.read_bytes().endswith(b"\n"), limit_s=120.0)
    finally:
        life.terminate()
        life.end()
    note = json.loads(out.read_bytes().splitlines()[0])
    assert note["type"] == "alert-note/1"
    assert (note["alert"]["rule"], note["alert"]["change"]) == ("feed_stale", "began")
    assert "nothing new comes from the feed" in note["text"]
    answer = Life("alerts", "list", "--home", home, "--json").answer()
    listed = json.loads(answer)["alerts"]
    assert note["alert"]["id"] in {each["id"] for each in listed}
