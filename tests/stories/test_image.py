"""The image's steps are executed, what they install is measured, and the entry point is well.

Without an engine: `tests/given/dockerfile_steps.py` says how.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

import dockerfile_steps
import golden_home
import overlay_views
from waiting import until

USER = 10001
MOST_BYTES = 570_000_000
"""What it may add to its base, which takes some 125 MB: 700 MB for the whole."""

pytestmark = pytest.mark.operations


@pytest.fixture(scope="module")
def image(tmp_path_factory, pytestconfig):
    """The image of the services."""
    if reason := overlay_views.missing():
        pytest.skip(reason)
    folder, root = tmp_path_factory.mktemp("image"), pytestconfig.rootpath
    try:
        yield dockerfile_steps.execute(root / "deploy" / "Dockerfile", root, folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def home(tmp_path):
    """A volume as a container has it at first: its user's, and empty."""
    home = tmp_path / "volume"
    home.mkdir()
    os.chown(home, USER, USER)
    return home


@contextlib.contextmanager
def started(image, home, *words):
    """A process of the entry point, and the file of what it prints."""
    output = home.with_name("output")
    with output.open("wb") as file:
        command = image.command([*image.entrypoint, *words], home=home)
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield process, output
        finally:
            process.kill()
            process.wait()


def ended(image, home, *words):
    """Exit code, standard output and standard error of the entry point."""
    command = image.command([*image.entrypoint, *map(str, words)], home=home)
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    return done.returncode, done.stdout, done.stderr


def test_what_it_adds_to_its_base_is_not_too_large(image):
    added = dockerfile_steps.bytes_of(image.tree) - image.of_base
    assert added <= MOST_BYTES, added


def test_it_runs_as_nobody_who_may_write_to_its_program(image, home):
    assert image.user == f"{USER}:{USER}"
    script = (
        "id -u; touch /opt/barograph/x /etc/x /var/cache/barograph/x 2>&1; touch x && echo home"
    )
    done = subprocess.run(
        image.command(["sh", "-c", script], home=home), capture_output=True, check=True, text=True
    )
    user, *refused, last = done.stdout.splitlines()
    assert user == str(USER)
    assert len(refused) == 3
    assert all("Read-only file system" in line for line in refused)
    assert last == "home"


def test_it_becomes_healthy_on_a_read_only_tree_and_compiles_nothing(image, home, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    check = [word.replace(":8000/", f":{port}/") for word in image.health]
    assert check != image.health

    def healthy():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    monkeypatch.setitem(image.environment, "NUMBA_DEBUG_CACHE", "1")
    monkeypatch.setitem(image.environment, "PYTHONUNBUFFERED", "1")
    words = ("up", "--venue", "simulated", "--no-retrain", "--port", str(port))
    with started(image, home, *words) as (process, output):
        until(lambda: process.poll() is not None or healthy())
        printed = output.read_text(encoding="utf-8")
        assert process.poll() is None, printed
        subprocess.run(image.command(check, home=home), check=True)
        assert list(home.iterdir())
    assert process.returncode == -signal.SIGKILL
    assert subprocess.run(image.command(check, home=home), check=False).returncode
    assert "[cache] data loaded from '/opt/barograph/" in printed
    assert "[cache] data saved" not in printed
    assert "cannot be kept" not in printed


def test_it_promotes_a_registered_model_and_scores_with_it(image, home, tmp_path):
    shutil.move(golden_home.make(tmp_path), home / "backup")
    (home / "more.ndjson").write_bytes(golden_home.market(golden_home.SECONDS, 20))
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    at = ("--home", "restored")
    for words in (
        ("restore", "backup"),
        ("models", "promote", "1"),
        ("replay", "more.ndjson"),
    ):
        code, _, error = ended(image, home, *words, *at)
        assert code == 0, (words, error)
    code, predictions, error = ended(image, home, "topics", "dump", "ticks.predictions", *at)
    assert code == 0, error
    assert '"spikes/1"' in predictions
