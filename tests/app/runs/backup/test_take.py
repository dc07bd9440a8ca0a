"""A backup holds all of a home, or nothing is left of it."""

import json
import os
import shutil
from contextlib import closing

import pytest

from barograph.app.runs.backup import take
from barograph.app.runs.backup.record import FILE, read
from barograph.app.runs.backup.take import back_up
from barograph.errors import BadInputError, DiskFullError, RegistryError
from barograph.files.lines import file_sha256
from barograph.log import open_log
from barograph.registry.database import only_writer
from homes import MESSAGES, Home, recorded
from log_contents import traces


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "home"
    of_log = Home(path)
    of_log.replay(recorded(tmp_path, *MESSAGES))
    of_log.log.close()
    (path / "datasets").mkdir()
    (path / "datasets" / "spikes.json").write_text("{}")
    (path / "registry" / "artifacts").mkdir(parents=True)
    (path / "registry" / "artifacts" / "facts.json").write_text("{}")
    return path


def test_every_file_stands_in_the_record_with_its_hash(home, tmp_path):
    settings = tmp_path / "barograph.toml"
    settings.write_text("seed = 2\n")
    done = back_up(home, tmp_path / "backup", settings)
    kept = read(tmp_path / "backup")
    paths = {file.path for file in kept.files}
    assert paths == {
        "barograph.toml", "home/log.sqlite", "home/archive/000001.ndjson.gz",
        "home/archive/000001.manifest.json", "home/archive/book.json", "home/datasets/spikes.json",
        "home/registry/artifacts/facts.json",
    }  # fmt: skip
    for file in kept.files:
        path = tmp_path / "backup" / file.path
        assert (path.stat().st_size, file_sha256(path)) == (file.bytes, file.sha256)
    assert (done.files, done.bytes) == (len(kept.files), sum(file.bytes for file in kept.files))
    assert set(done.parts) == {"logs", "archive", "registry", "settings", "other"}
    assert sum(done.parts.values()) == done.bytes
    assert done.settings == str(settings)


def test_the_copy_holds_what_the_home_holds(home, tmp_path):
    back_up(home, tmp_path / "backup")
    both = []
    for place in (home, tmp_path / "backup" / "home"):
        with closing(open_log(place)) as log:
            both.append(traces(log, place / "archive"))
    assert both[0] == both[1]


def test_a_folder_that_is_empty_takes_a_backup_and_others_do_not(home, tmp_path):
    target = tmp_path / "backup"
    target.mkdir()
    back_up(home, target)
    with pytest.raises(BadInputError, match="it is not empty"):
        back_up(home, target)
    (target / FILE).unlink()
    with pytest.raises(BadInputError, match="an interrupted backup lies there"):
        back_up(home, target)
    for inside in (home, home / "backup", home / "archive" / "x", tmp_path / "link" / "x"):
        if inside.parent.name == "link":
            inside.parent.symlink_to(home)
        with pytest.raises(BadInputError, match="it lies in the home"):
            back_up(home, inside)
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="it is no folder"):
        back_up(home, tmp_path / "file")


def test_a_home_with_nothing_in_it_is_not_backed_up(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="there is nothing in it"):
        back_up(tmp_path / "empty", tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("there", [False, True])
def test_what_cannot_be_finished_leaves_nothing(home, tmp_path, monkeypatch, there):
    def full(*_arguments):
        raise DiskFullError("backup", "No space left on device", "Free some")

    target = tmp_path / "backup"
    if there:
        target.mkdir()
    monkeypatch.setattr(take, "copied_sha256", full)
    with pytest.raises(DiskFullError):
        back_up(home, target)
    assert target.exists() == there
    assert not there or not list(target.iterdir())


def test_a_damaged_log_is_not_backed_up(home, tmp_path):
    with (home / "log.sqlite").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 4096)
    with pytest.raises(BadInputError, match=r"it is damaged .* says what mends it"):
        back_up(home, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_an_archive_file_that_goes_meanwhile_is_named(home, tmp_path, monkeypatch):
    copied = take.copied_sha256

    def removing(source, target, size):
        (home / "archive" / "000001.ndjson.gz").unlink(missing_ok=True)
        return copied(source, target, size)

    monkeypatch.setattr(take, "copied_sha256", removing)
    with pytest.raises(BadInputError, match="it was removed while it was copied"):
        back_up(home, tmp_path / "backup")


def test_a_registry_that_is_written_all_the_time_is_waited_for(home, tmp_path, monkeypatch):
    monkeypatch.setattr(take, "_REGISTRY_WAIT_S", 0.01)
    with only_writer(home / "registry", "spikes", 1), pytest.raises(RegistryError, match="backup"):
        back_up(home, tmp_path / "backup")


def test_a_dataset_that_is_replaced_meanwhile_is_copied_as_it_is_then(home, tmp_path, monkeypatch):
    copied, times = take.copied_sha256, []

    def replacing(source, target, size):
        digest = copied(source, target, size)
        if source.name == "spikes.json" and not times:
            times.append(1)
            (home / "datasets" / "new").write_text('{"rows": 2}')
            (home / "datasets" / "new").rename(source)
        return digest

    monkeypatch.setattr(take, "copied_sha256", replacing)
    back_up(home, tmp_path / "backup")
    assert json.loads((tmp_path / "backup/home/datasets/spikes.json").read_text()) == {"rows": 2}


def test_a_file_that_is_replaced_again_and_again_is_named(home, tmp_path, monkeypatch):
    copied = take.copied_sha256

    def replacing(source, target, size):
        digest = copied(source, target, size)
        if source.name == "spikes.json":
            shutil.copy(source, home / "datasets" / "new")
            os.replace(home / "datasets" / "new", source)  # noqa: PTH105 - as Path.replace
        return digest

    monkeypatch.setattr(take, "copied_sha256", replacing)
    with pytest.raises(BadInputError, match="replaced again and again"):
        back_up(home, tmp_path / "backup")
