"""A home is made of a whole backup, or none."""

import os
from contextlib import closing

import pytest

from barograph.app.runs.backup import restore as restoring
from barograph.app.runs.backup.record import FILE
from barograph.app.runs.backup.restore import restore
from barograph.app.runs.backup.take import back_up
from barograph.errors import BadInputError, DiskFullError
from barograph.log import open_log
from barograph.log.topics import TICKS
from coinbase_messages import ticker
from homes import MESSAGES, Home, die, heard, recorded
from log_contents import total, traces


@pytest.fixture
def backup(tmp_path):
    """Of a home with a recording, while its feed still runs and has committed."""
    home = Home(tmp_path / "home")
    home.replay(recorded(tmp_path, *MESSAGES))
    settings = tmp_path / "barograph.toml"
    settings.write_text("seed = 2\n")
    back_up(tmp_path / "home", tmp_path / "backup", settings)
    return tmp_path / "backup"


@pytest.mark.parametrize("there", [False, True])
def test_a_restored_home_holds_what_the_home_held(backup, tmp_path, there):
    restored = tmp_path / "restored"
    if there:
        restored.mkdir()
    done = restore(backup, restored)
    both = []
    for place in (tmp_path / "home", restored):
        with closing(open_log(place)) as log:
            both.append(traces(log, place / "archive"))
    assert both[0] == both[1]
    assert Home(restored).unknown() == []
    assert done.settings == str(restored / "barograph.toml")
    assert not (restored / ".restoring").exists()


def test_what_a_feed_had_archived_and_not_logged_is_taken_in(tmp_path):
    """The moment lies between the two, as that of a crash."""
    home = Home(tmp_path / "home")
    feed = home.feed()
    feed.take(heard(ticker(0)))
    feed.commit()
    feed.take(heard(ticker(1)))
    feed._writer.flush()
    back_up(tmp_path / "home", tmp_path / "backup")
    die(feed)
    restore(tmp_path / "backup", tmp_path / "restored")
    both = [Home(tmp_path / name) for name in ("home", "restored")]
    assert [each.unknown() for each in both] == [[], []]  # a start takes the tail in
    assert [each.warnings for each in both] == [[], []]
    assert both[0].traces() == both[1].traces()
    assert total(both[1].log, TICKS) == 2


def test_a_home_that_has_something_is_not_overwritten(backup, tmp_path):
    with pytest.raises(BadInputError, match="it is not empty"):
        restore(backup, tmp_path / "home")
    with pytest.raises(BadInputError, match="it lies in the backup"):
        restore(backup, backup / "restored")
    (tmp_path / "left" / ".restoring").mkdir(parents=True)
    with pytest.raises(BadInputError, match="an interrupted restore lies there"):
        restore(backup, tmp_path / "left")


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def gone(path):
    path.unlink()


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("damage", [flipped, cut, gone])
@pytest.mark.parametrize(
    "name", ["home/log.sqlite", "home/archive/000001.ndjson.gz", "barograph.toml"]
)
def test_a_damaged_backup_is_refused_and_nothing_restored(backup, tmp_path, name, damage, there):
    restored = tmp_path / "restored"
    if there:
        restored.mkdir()
    damage(backup / name)
    with pytest.raises(BadInputError, match="nothing was restored") as refused:
        restore(backup, restored)
    assert name in str(refused.value)
    assert restored.exists() == there
    assert not there or not list(restored.iterdir())


def test_an_interrupted_backup_is_refused(backup, tmp_path):
    (backup / FILE).unlink()
    with pytest.raises(BadInputError, match="it was interrupted"):
        restore(backup, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_full_disk_leaves_nothing(backup, tmp_path, monkeypatch):
    def full(*_arguments):
        raise DiskFullError("home", "No space left on device", "Free some")

    monkeypatch.setattr(restoring, "copied_sha256", full)
    with pytest.raises(DiskFullError):
        restore(backup, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()
