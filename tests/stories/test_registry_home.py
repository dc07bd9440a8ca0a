"""One home, several processes: registering, promoting and watching the champion."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import pytest

import handmade_models
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.registry.registry import Registry
from killed_writers import KilledWriter, train

pytestmark = pytest.mark.operations

PROGRAM = """
import json, sys
from pathlib import Path

def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"the network was asked for: {event} {arguments}")

sys.addaudithook(forbid)

from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.registry.model import ModelFacts, sha256_of
from barograph.registry.registry import Registry
from handmade_models import linear

heavy = [name for name in ("mlflow", "sqlalchemy", "lightgbm", "onnx") if name in sys.modules]
home, times = Path(sys.argv[1]), int(sys.argv[2])
onnx = linear(["realized_vol_60s"], [1.0], name="p").to_onnx()
facts = ModelFacts(
    case="spikes", candidate="p", features=("realized_vol_60s",), feature_set=FEATURE_SET_HASH,
    tau={}, threshold=0.5, horizon_s=60, train_start_ns=0, train_end_ns=1, data_hash="", seed=0,
    sha256=sha256_of(onnx), scores={}, created_time_ns=10**18,
)
registry = Registry(home)
made = []
for _ in range(times):
    version = registry.register("spikes", onnx, facts)
    registry.promote("spikes", version, f"by {version}")
    made.append(version)
print(json.dumps({"heavy": heavy, "made": made}))
"""
LIMIT_S = 120


@pytest.fixture
def start(tmp_path):
    """Start a process that registers and promotes; what still runs at the end is killed."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # MLflow turns its telemetry off by itself in a CI or a test; here a setting must do it.
    left_out = ("CI", "PYTEST_CURRENT_TEST", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    environment["PYTHONPATH"] = str(Path(handmade_models.__file__).parent)
    running = []

    def run(home, times: int):
        process = subprocess.Popen(
            [sys.executable, str(program), str(home), str(times)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def test_processes_that_start_together_in_a_new_home_get_versions_of_their_own(start, tmp_path):
    home = tmp_path / "home"
    processes = [start(home, 4) for _ in range(2)]

    answers = []
    for process in processes:
        out, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, err
        assert err == ""
        answers.append(json.loads(out))

    assert [answer["heavy"] for answer in answers] == [[], []]
    assert sorted(answers[0]["made"] + answers[1]["made"]) == list(range(1, 9))
    registry = Registry(home)
    assert len(registry.history("spikes")) == 8
    assert registry.champion_version("spikes") == registry.history("spikes")[-1].version
    assert registry.load("spikes", "champion", FEATURE_SET_HASH).facts.candidate == "p"


def ended(process, pause_s: float = 0.02) -> bool:
    """Whether a process ended, after a pause that leaves the machine to it."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=pause_s)
    return process.returncode is not None


def test_a_watcher_sees_the_champions_of_another_process_in_order(start, made_home, tmp_path):
    home = shutil.copytree(made_home, tmp_path / "home")
    watcher = Registry(home)
    process = start(home, 12)

    seen = []
    while not ended(process):
        champion = watcher.champion_version("spikes")
        if champion is not None and champion not in seen:
            watcher.load("spikes", champion, FEATURE_SET_HASH)
            seen.append(champion)
    _, err = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 0, err
    assert watcher.champion_version("spikes") == 12
    assert seen == sorted(seen)
    assert len(seen) > 1


def test_a_writer_killed_at_bad_moments_leaves_a_registry_that_works(start, tmp_path):
    home = tmp_path / "home"
    watcher = Registry(home)
    bad_moments = (
        lambda: list(home.glob("registry/*.making")),
        lambda: (watcher.champion_version("spikes") or 0) >= 3,
    )
    for came in bad_moments:
        process = start(home, 1000)
        while not came() and not ended(process):
            pass
        process.kill()
        assert process.wait(LIMIT_S) == -signal.SIGKILL
        for version in watcher.versions("spikes"):
            assert watcher.load("spikes", version.version, FEATURE_SET_HASH).facts.case == "spikes"

    process = start(home, 1)
    _, err = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 0, err
    assert watcher.champion_version("spikes") == len(watcher.versions("spikes"))


def runs_of(home):
    """How each run of a version or a trial ended, and whether a version was made of it."""
    with closing(sqlite3.connect(home / "registry" / "mlflow.db")) as database:
        return database.execute(
            "SELECT run_uuid, status, (SELECT version FROM model_versions m WHERE m.run_id = "
            "run_uuid) FROM runs JOIN tags USING (run_uuid) WHERE key = 'kind'"
        ).fetchall()


def test_behind_whichever_step_a_training_is_killed_the_next_tidies_up_and_says_so(
    made_home, tmp_path
):
    warned = 0
    for steps in count(1):
        home = shutil.copytree(made_home, tmp_path / f"home-{steps}")
        writer = KilledWriter(home, steps)
        writer.join(LIMIT_S)
        if writer.exitcode == 0:
            break
        assert writer.exitcode == -signal.SIGKILL
        registry = Registry(home)
        left = [status for _, status, _ in runs_of(home) if status == "RUNNING"]
        known = [each.version for each in registry.versions("spikes")]
        for version in known:
            registry.load("spikes", version, FEATURE_SET_HASH)
        warnings = []
        version = train(home, warnings.append)
        assert version == len(known) + 1
        assert registry.champion_version("spikes") == version
        assert registry.attached("spikes", version, "card.json") == b"{}"
        assert len(warnings) == len(left)
        assert all("a training that was killed" in line for line in warnings)
        warned += len(warnings)
        runs = runs_of(home)
        assert {status for _, status, _ in runs} <= {"FINISHED", "KILLED"}
        assert all(status == "FINISHED" for _, status, made in runs if made)
        folders = {path.name for path in (home / "registry" / "artifacts").iterdir()}
        assert folders == {run for run, _, made in runs if made}
    assert steps > 10
    assert warned > 5
