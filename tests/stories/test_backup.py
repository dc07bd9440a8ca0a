"""A home is backed up while it is written, and what is restored is whole and goes on."""

import os
import subprocess
import threading
from contextlib import closing

import pytest

from barograph.app.runs.backup.record import FILE
from barograph.app.runs.backup.restore import restore
from barograph.app.runs.backup.take import back_up
from barograph.archive.files import numbered_files
from barograph.errors import DiskFullError
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS, TICKS
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S, Gap, GapCause
from coinbase_messages import START, ticker
from homes import Home, heard
from log_contents import events, heard_again, total
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

BACKUPS = 8
_EVERY_S = 720


@pytest.fixture
def busy(tmp_path):
    """A home whose feed begins a file of the archive with every few frames, until the end."""
    home, stop = Home(tmp_path / "home"), threading.Event()
    failed = []

    def write():
        feed = home.feed()
        try:
            number = 0
            while not stop.is_set():
                second = number * _EVERY_S
                feed.take(heard(ticker(second), receive_time_ns=START + second * NS_PER_S))
                number += 1
                if number % 3 == 0:
                    feed.commit()
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            feed.close()

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: len(numbered_files(home.archive)) > 3)
    yield tmp_path / "home"
    stop.set()
    writer.join()
    assert not failed


def test_each_backup_of_a_busy_home_is_of_one_moment(busy, tmp_path):
    """Files begin and are finished all the time: the log of none lags behind a manifest."""
    ends = []
    for number in range(BACKUPS):
        backup, home = tmp_path / f"backup-{number}", tmp_path / f"restored-{number}"
        back_up(busy, backup)
        restore(backup, home)
        restored = Home(home)
        assert restored.unknown() == []  # a start takes in what a crash would leave
        assert restored.warnings == []
        assert events(restored.log) == heard_again(restored.archive)
        ends.append(total(restored.log, TICKS))
        restored.log.close()
    assert ends == sorted(ends)
    assert ends[0] < ends[-1]


def test_a_home_is_backed_up_while_it_runs_and_its_copy_goes_on(tmp_path):
    home, copy = tmp_path / "home", tmp_path / "copy"
    words = ("up", "--venue", "simulated", "--products", "BTC-USD", "--port", "0", "--no-retrain")
    running = Life(*words, "--home", home)

    def predicted():
        if not (home / "log.sqlite").exists():
            return False
        with closing(open_log(home)) as log:
            return PREDICTIONS in {each.name for each in log.topics()} and total(log, PREDICTIONS)

    until(lambda: predicted() > 2 or not running.is_alive(), 120)
    Life("backup", tmp_path / "backup", "--home", home).answer()
    before = predicted()
    until(lambda: predicted() > before or not running.is_alive(), 120)
    assert running.is_alive(), running.end()
    running.terminate()
    assert running.end()[0] == 0
    Life("restore", tmp_path / "backup", "--home", copy).answer()
    for verb in (("verify",), ("verify", "--archive"), ("archive", "verify"), ("topics", "list")):
        Life(*verb, "--home", copy).answer()
    doctor = Life("doctor", "--venue", "simulated", "--home", copy, "--json").end()
    assert doctor[0] == 0, doctor
    with closing(open_log(copy)) as log:
        kept = events(log)["BTC-USD"]
    with closing(open_log(home)) as log:
        assert events(log)["BTC-USD"][: len(kept)] == kept
    Life(*words, "--home", copy, "--minutes", "0.1").answer()
    with closing(open_log(copy)) as log:
        more = events(log)["BTC-USD"]
    assert more[: len(kept)] == kept
    gaps = [each for each in more[len(kept) :] if isinstance(each, Gap)]

    assert gaps[0].cause is GapCause.DISCONNECT
    Life("verify", "--archive", "--home", copy).answer()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A home of some megabytes."""
    folder = tmp_path_factory.mktemp("large")
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 5, 1_750_000_000 * 10**9)
    path = folder / "market.ndjson"
    path.write_bytes(b"".join(frame.data + b"\n" for frame in market.advance(600)))
    Life("replay", path, "--no-stages", "--home", folder / "home").answer()
    return folder / "home"


def test_a_backup_that_is_killed_is_never_taken_for_a_whole_one(large, tmp_path):
    killed = 0
    for number in range(12):
        backup = tmp_path / f"backup-{number}"
        life = Life("backup", backup, "--home", large)
        until(lambda folder=backup: len(list(folder.rglob("*"))) > 1)
        killed += life.kill()
        code, _, err = Life("restore", backup, "--home", tmp_path / f"home-{number}").end()
        if (backup / FILE).exists():
            assert code == 0, err
        else:
            assert (code, b"it was interrupted" in err) == (2, True), err
            assert not (tmp_path / f"home-{number}").exists()
    assert killed


def test_a_restore_that_is_killed_leaves_no_half_home(large, tmp_path):
    back_up(large, tmp_path / "backup")
    for number in range(12):
        home = tmp_path / f"home-{number}"
        life = Life("restore", tmp_path / "backup", "--home", home)
        until(lambda folder=home: (folder / ".restoring").exists() or (folder / "archive").exists())
        life.kill()
        if (home / ".restoring").exists():
            code, _, err = Life("restore", tmp_path / "backup", "--home", home).end()
            assert (code, b"an interrupted restore lies there" in err) == (2, True), err
        else:
            Life("archive", "verify", "--home", home).answer()


def test_a_disk_that_is_full_is_left_as_it_was(large, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
    if os.geteuid() or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk here")
    back_up(large, tmp_path / "backup")
    try:
        for made in (
            lambda: back_up(large, folder / "backup"),
            lambda: restore(tmp_path / "backup", folder / "home"),
        ):
            with pytest.raises(DiskFullError, match="Free at least"):
                made()
            assert not list(folder.iterdir())
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
