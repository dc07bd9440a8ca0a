"""`up --no-web` has no page and no API; without it both are there."""

import http.client
import json
from contextlib import suppress
from pathlib import Path

import pytest

from verb_processes import Life
from waiting import until

LISTENS = "0A"


def listening_ports(pid):
    """The TCP ports at which a process listens, by the kernel's tables."""
    own, ports = set(), set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            own.add(str(each.readlink()))
    for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if words[3] == LISTENS and f"socket:[{words[9]}]" in own:
            ports.add(int(words[1].rpartition(":")[2], 16))
    return ports


def answers_as_the_api(port):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("GET", "/health")
        return {"live", "ready"} <= json.loads(line.getresponse().read()).keys()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        line.close()


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--no-web",), ("--port", "0")])
def test_up_serves_unless_it_is_told_not_to(tmp_path, made_home, words):
    """The simulated exchange listens in either case, and is no API of ours."""
    assert made_home
    life = Life(
        "up", "--venue", "simulated", "--products", "BTC-USD", "--no-retrain", *words,
        "--minutes", "10", "--home", tmp_path / "home",
    )  # fmt: skip
    try:
        served = "--no-web" not in words
        until(lambda: b"started" in life.warned(), limit_s=120.0)
        until(lambda: len(listening_ports(life.pid)) > served, limit_s=120.0)

        def apis():
            return sum(answers_as_the_api(port) for port in listening_ports(life.pid))

        # A port may listen before it answers.
        until(lambda: apis() >= served, limit_s=120.0, pause_s=0.5)
        assert apis() == served
        assert (b"page=http://127.0.0.1:" in life.warned()) == served
    finally:
        life.terminate()
        life.end()
