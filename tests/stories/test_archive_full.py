"""A disk that is full stops the feed in one line; with room again it goes on, and nothing shows."""

import os
import resource
import subprocess
import sys
from contextlib import closing

import pytest

from archive_contents import read_archive
from barograph.log import open_log
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import DeadLetter
from log_contents import traces
from refusals import line_of
from verb_processes import Life

pytestmark = pytest.mark.operations

COMMAND = [sys.executable, "-c", "from barograph.app.cli import main; main()"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Half an hour of two products."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 5, 1_750_000_000 * 10**9)
    path = tmp_path_factory.mktemp("recordings") / "market.ndjson"
    path.write_bytes(b"".join(frame.data + b"\n" for frame in market.advance(1800)))
    return path


@pytest.fixture(scope="module")
def undisturbed(recording, tmp_path_factory):
    """What a feed with room enough leaves."""
    home = tmp_path_factory.mktemp("undisturbed")
    assert feed(recording, home)[0] == 0
    return left_in(home)


def feed(recording, home):
    """Replay by the command line: exit code, standard output and error."""
    code, out, err = Life("replay", recording, "--no-stages", "--home", home, "--json").end()
    return code, out.decode(), err.decode()


def feed_within(file_bytes, recording, home):
    """As `feed`, where no file of the process may grow beyond `file_bytes`."""
    done = subprocess.run(
        [*COMMAND, "replay", recording, "--no-stages", "--home", home, "--json"],
        capture_output=True,
        check=False,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes)),
    )
    return done.returncode, done.stdout, done.stderr


def left_in(home):
    with closing(open_log(home)) as log:
        return traces(log, home / "archive")


@pytest.fixture
def small(tmp_path):
    """Mount a small file system in the test's folder: the folder, and how to make it larger."""
    mounted = []

    def mount(name, kilobytes):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        options = f"size={kilobytes}k"
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        if os.geteuid() or subprocess.run(words, check=False, capture_output=True).returncode:
            pytest.skip("only root can mount a small disk here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def enlarge(folder):
    subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)


def assert_told(done, *words):
    err = line_of(done)
    for word in words:
        assert word in err


@pytest.mark.parametrize("kilobytes", [12, 90])
def test_an_archive_without_room_is_whole_as_far_as_it_goes(
    recording, undisturbed, small, tmp_path, kilobytes
):
    archive = small("home/archive", kilobytes)
    done = feed(recording, tmp_path / "home")
    assert_told(done, "is full (No space left on device", "nothing was accepted", "start again")
    kept = list(read_archive(archive))
    assert not [entry for entry in kept if isinstance(entry, DeadLetter)]
    assert kept == undisturbed["archive"][: len(kept)]
    assert_told(feed(recording, tmp_path / "home"), "is full")
    enlarge(archive)
    assert_goes_on(recording, tmp_path / "home", undisturbed)


def test_a_home_without_room_for_the_log_goes_on_where_it_stopped(recording, undisturbed, small):
    home = small("home", 1500)
    assert_told(feed(recording, home), "is full")
    enlarge(home)
    assert_goes_on(recording, home, undisturbed)


@pytest.mark.parametrize("kilobytes", [20, 2000])
def test_a_limit_of_a_files_size_is_reported_too(recording, undisturbed, tmp_path, kilobytes):
    done = feed_within(kilobytes << 10, recording, tmp_path)
    assert_told(done)
    assert "is full" in done[2] or "its quota and limits" in done[2]
    assert_goes_on(recording, tmp_path, undisturbed)


def assert_goes_on(recording, home, undisturbed):
    code, _, err = feed(recording, home)
    assert code == 0, err
    assert left_in(home) == undisturbed
