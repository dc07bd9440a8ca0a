"""Each command that a message advises is run as it is printed, and cures what the message is about.

The home is that of the environment, as for a user who has set it, so commands without `--home` mean
it too. `tests/house/test_cures.py` holds that no command is missing in `CURES`.
"""

import json
import re
import shlex
import shutil
import sqlite3
from contextlib import closing

import pytest

from barograph.app.cli import door
from barograph.cases.churn import invent as invent_customers
from barograph.errors import BadInputError, ForeignStateError, OffsetGapError, RemovedError
from barograph.log import open_log
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.training.dataset import FEWER
from barograph.types import Message
from command_line import call
from hour_candles import invented
from registered_models import facts_of, graph

CURES = {
    "replay --home": "test_a_home_without_a_log_is_fed",
    "replay": "test_a_home_without_a_log_is_fed",
    "topics create": "test_a_topic_of_ones_own_is_created",
    "verify": "test_an_archive_that_the_log_does_not_know_is_no_reason_not_to_verify",
    "dataset": "test_a_training_without_a_dataset_builds_one",
    "dataset --case": "test_a_training_without_a_dataset_builds_one",
    "featurize --case": "test_a_dataset_of_rows_that_another_case_makes_has_them_made",
    "train --case": "test_a_case_without_a_model_is_trained",
    "settings": "test_what_a_misspelt_setting_could_be_is_listed",
    "models show --case": "test_a_version_that_was_not_promoted_is_shown_and_promoted",
    "models promote --case": "test_a_version_that_was_not_promoted_is_shown_and_promoted",
    "models list --case": "test_the_versions_that_there_are_are_listed",
    "deadletters show --topic": "test_a_letter_that_is_damaged_can_be_looked_at",
    "train": "test_a_dataset_of_another_feature_set_is_built_and_trained_on_again",
    "dataset --products": "test_too_many_products_are_fewer_where_some_are_named",
    "replay --products --home": "test_too_many_products_are_fewer_where_some_are_named",
    "archive compact --out": "test_a_lake_without_numbers_is_made_anew_elsewhere",
    "archive verify": "test_what_is_damaged_in_an_archive_is_named",
    "models rollback --case": "test_a_damaged_model_is_trained_again_or_rolled_back",
    "models list": "test_the_versions_that_there_are_are_listed",
    "--help": "test_a_verb_that_there_is_not_leads_to_the_help",
    "deadletters list --topic": "test_a_letter_that_there_is_not_leads_to_those_that_there_are",
    "recover --home": "test_a_truncated_log_is_rebuilt",
    "recover": "test_a_log_that_is_none_is_moved_away_and_made_again",
    "backup": "test_a_backup_that_was_interrupted_is_taken_again",
    "doctor --home": "test_a_log_that_is_too_damaged_for_a_backup_is_examined",
    "featurize": "test_a_damaged_checkpoint_is_made_again",
    "score": "test_a_damaged_checkpoint_is_made_again",
}
"""Verb and options of each command that a message advises, and the test that follows it."""

COMMAND = re.compile(r"`barograph ([^`]+)`")


class User:
    """Somebody with a home of `BAROGRAPH_HOME`, who does what messages say."""

    def __init__(self, tmp_path, call):
        self.home, self._files, self._call = tmp_path / "home", tmp_path, call
        self.heard = ""

    def do(self, *words):
        """(exit code, standard output, standard error) of a command."""
        return self._call(*words)

    def must(self, *words):
        """The output of a command that succeeds."""
        code, out, err = self.do(*words)
        assert code == 0, err
        return out + err

    def refused(self, *words):
        """The one line of a command that is refused."""
        code, _, err = self.do(*words)
        assert (code, err.count("\n")) == (2, 1), err
        return err

    def obey(self, message, which=0, *, code=0, case=None):
        """Run what a message advises, which ends with `code`; return it.

        FILE is a recording, … the home, or the case after `--case`.
        """
        command = COMMAND.findall(message)[which]
        for each in command.split(" && barograph "):
            self._run(shlex.split(each), code, case)
        return command

    def _run(self, words, code, case):
        for place, word in enumerate(words):
            if word.startswith("FILE"):
                words[place] = self.market()
            elif word == "…":
                words[place] = case if words[place - 1] == "--case" else self.home
        ended, out, err = self.do(*words)
        assert ended == code, (words, err)
        self.heard = out + err

    def market(self, seconds=90):
        """A recording of a made-up market."""
        path = self._files / f"market_{seconds}.ndjson"
        market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
        path.write_bytes(b"\n".join(frame.data for frame in market.advance(seconds)) + b"\n")
        return path

    def candles(self, hours):
        """A file of made-up candles."""
        path = self._files / "candles.csv"
        names = ("time", "open", "high", "low", "close", "volume")
        rows = [
            (each.start_s, each.open, each.high, each.low, each.close, each.volume)
            for each in invented(hours, seed=3)
        ]
        path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n")
        return path

    def customers(self, *lines, count=800):
        """A file of made-up customers, with more lines after them."""
        path = self._files / "people.ndjson"
        path.write_bytes(b"".join(line + b"\n" for line in (*invent_customers(count, 1), *lines)))
        return path


@pytest.fixture
def user(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAROGRAPH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BAROGRAPH_FOLDS", "2")  # what a training says is not the point here
    return User(tmp_path, lambda *words: call(monkeypatch, capfdbinary, *words))


@pytest.mark.parametrize(
    "words",
    [("topics", "list"), ("verify",), ("check",), ("dataset",), ("topics", "dump", "ticks.raw")],
    ids=" ".join,
)
def test_a_home_without_a_log_is_fed(user, words):
    assert user.obey(user.refused(*words)).startswith("replay FILE")
    assert user.do(*words)[0] in (0, 1)  # `check` finds an old feed


def test_a_topic_of_ones_own_is_created(user):
    user.must("replay", user.market())
    assert user.obey(user.refused("topics", "dump", "queues.raw")) == "topics create queues.raw"
    user.must("topics", "dump", "queues.raw")


def test_a_topic_of_the_feed_is_fed(user):
    user.must("topics", "create", "queues.raw")
    user.obey(user.refused("topics", "dump", "ticks.raw"))
    assert user.must("topics", "dump", "ticks.raw")


def test_verify_is_given_feature_rows(user):
    user.must("topics", "create")
    user.obey(user.refused("verify"))
    user.must("verify")


def test_an_archive_that_the_log_does_not_know_is_no_reason_not_to_verify(user):
    user.must("replay", user.market())
    shutil.rmtree(user.home / "archive")
    message = user.refused("verify", "--archive")
    user.obey(message)


def test_a_training_without_a_dataset_builds_one(user):
    user.must("replay", user.market(400))
    assert user.obey(user.refused("train")) == "dataset --case spikes"
    assert "barograph dataset" not in user.do("train")[2]


def test_a_dataset_of_rows_that_another_case_makes_has_them_made(user):
    user.must("extract", "--file", user.candles(900), "--until", "2023-12-22T12:00:00Z")
    user.must("dataset", "--case", "hourly")
    message = user.refused("dataset", "--case", "hourly-6h")
    assert user.obey(message) == "featurize --case hourly"
    user.must("dataset", "--case", "hourly-6h")


def test_a_case_without_a_model_is_trained(user):
    user.must("dataset", user.customers(), "--case", "churn")
    user.must("produce", user.customers(), "--case", "churn")
    for words in (("report", "card"), ("consume",)):
        _, out, err = user.do(*words, "--case", "churn")
        assert COMMAND.findall(out + err)[0] == "train --case churn"
    user.obey(out + err)
    user.must("report", "card", "--case", "churn")


def test_a_version_that_was_not_promoted_is_shown_and_promoted(user, made_home):
    onnx = graph()
    shutil.copytree(made_home, user.home)
    Registry(user.home).register("spikes", onnx, facts_of(onnx))
    message = user.refused("models", "show")
    for which in range(2):
        user.obey(message, which)
    assert "spikes/1" in user.must("models", "show")


def test_what_a_misspelt_setting_could_be_is_listed(user, tmp_path):
    (tmp_path / "barograph.toml").write_text("zzz = 3")
    message = user.refused("settings")
    (tmp_path / "barograph.toml").unlink()
    for _ in COMMAND.findall(message):
        user.obey(message)


@pytest.mark.parametrize("version", ["7", "99999999999"])
def test_the_versions_that_there_are_are_listed(user, version):
    user.home.mkdir()
    assert user.obey(user.refused("models", "show", version)).startswith("models list")


def test_a_verb_that_there_is_not_leads_to_the_help(user):
    for words in (("nonsense",), ("help", "nonsense")):
        user.obey(user.do(*words)[2])


def test_a_letter_that_there_is_not_leads_to_those_that_there_are(user):
    user.must("topics", "create", "--case", "churn")
    message = user.refused("deadletters", "show", "a@0:1", "--case", "churn")
    assert user.obey(message) == "deadletters list --topic telco.churn.deadletter"


def test_a_letter_that_is_damaged_can_be_looked_at(user):
    user.must("topics", "create")
    with closing(open_log(user.home)) as log:
        log.append([Message("ticks.deadletter", "", b"no letter", {})])
    identity = json.loads(user.must("deadletters", "list", "--json"))["letters"][0]["identity"]
    user.obey(user.refused("deadletters", "redrive", identity))
    assert "no letter" in user.heard


def test_what_is_damaged_in_an_archive_is_named(user):
    user.must("replay", user.market())
    (file,) = (user.home / "archive").rglob("*.gz")
    file.write_bytes(file.read_bytes()[:-99])
    user.obey(user.do("dataset")[2], code=1)
    assert file.name in user.heard


def test_a_lake_without_numbers_is_made_anew_elsewhere(user):
    user.must("replay", user.market())
    lake = user.home / "parquet"
    lake.mkdir()
    (lake / "progress.json").write_text('{"files": {"000000.ndjson.gz": "of an older version"}}')
    elsewhere = str(user.home / "lake")
    engine = ("dataset", "--engine", "local", "--workers", "1")
    user.obey(user.refused(*engine).replace("DIR", elsewhere))
    user.must(*engine, "--lake", elsewhere)


def test_a_file_of_a_lake_that_rotted_is_removed_and_made_anew(user):
    user.must("replay", user.market())
    lake = user.home / "lake"
    user.must("archive", "compact", "--out", str(lake))
    hour = next(lake.rglob("hour=*.parquet"))
    hour.write_bytes(hour.read_bytes().replace(b"PAR1", b"PAR2"))
    engine = ("dataset", "--engine", "local", "--workers", "1", "--lake", str(lake))
    message = user.refused(*engine)
    assert str(hour) in message
    hour.unlink()
    user.obey(message.replace("DIR", str(lake)))
    user.must(*engine)


def test_too_many_products_are_fewer_where_some_are_named(user):
    message = (
        BadInputError("the dataset", "too many products", FEWER).args[0].replace("NAMES", "BTC-USD")
    )
    user.obey(message, 0)
    user.obey(message, 1)
    assert "BTC-USD" in user.must("topics", "dump", "ticks.raw")


@pytest.mark.slow
def test_a_dataset_of_another_feature_set_is_built_and_trained_on_again(user, made_home):
    shutil.copytree(made_home, user.home)
    user.must("replay", user.market(5400))
    user.must("dataset")
    manifest = user.home / "datasets" / "spikes.json"
    facts = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps(facts | {"feature_set": "older"}))
    user.obey(user.refused("train"))
    assert "spikes/1" in user.must("models", "show", 1)


@pytest.mark.operations
def test_a_damaged_model_is_trained_again_or_rolled_back(user, made_home):
    shutil.copytree(made_home, user.home)
    user.must("dataset", user.customers(), "--case", "churn")
    for version in (1, 2):
        user.must("train", "--case", "churn", "--no-control")
        user.must("models", "promote", version, "--case", "churn")
    newest = max(
        (user.home / "registry").rglob("model.onnx"), key=lambda file: file.stat().st_mtime
    )
    newest.write_bytes(b"no model")
    message = user.refused("models", "promote", 2, "--case", "churn")
    user.obey(message, 1, case="churn")
    assert "rollback churn/1" in user.must("models", "history", "--case", "churn")
    user.obey(message, 0, case="churn")
    user.must("models", "promote", 3, "--case", "churn")


def test_a_truncated_log_is_rebuilt(user):
    user.must("replay", user.market())
    (user.home / "log.sqlite").write_bytes(b"")
    message = user.refused("topics", "list")
    (user.home / "log.sqlite").unlink(missing_ok=True)
    assert user.obey(message).startswith("recover --home")
    assert user.must("topics", "dump", "ticks.raw")


def test_a_log_that_is_none_is_moved_away_and_made_again(user):
    user.must("replay", user.market())
    (user.home / "log.sqlite").write_bytes(b"no database" * 999)
    message = user.refused("topics", "list")
    for file in user.home.glob("log.sqlite*"):
        file.rename(user.home / f"away-{file.name}") if file.is_file() else shutil.rmtree(file)
    user.obey(message)
    assert user.must("topics", "dump", "ticks.raw")


def test_a_damaged_checkpoint_is_made_again(user):
    user.must("replay", user.market())
    with sqlite3.connect(user.home / "log.sqlite") as database:
        changed = database.execute("UPDATE checkpoint SET value = x'00' WHERE true").rowcount
    database.close()
    assert changed
    message = str(ForeignStateError("BTC-USD"))
    assert [user.obey(message, which) for which in (0, 1)] == ["featurize", "score"]
    user.must("verify")


@pytest.mark.parametrize(
    "error",
    [OffsetGapError("ticks.raw", 0, 1, 9), RemovedError("log.sqlite", "was removed")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_gone_comes_back_from_recording_or_archive(user, error):
    user.must("replay", user.market())
    for file in user.home.glob("log.sqlite*"):
        file.unlink() if file.is_file() else shutil.rmtree(file)
    if isinstance(error, OffsetGapError):
        shutil.rmtree(user.home)
    user.obey(door.refusal(error))
    assert user.must("topics", "dump", "ticks.raw")


def test_a_backup_that_was_interrupted_is_taken_again(user, tmp_path):
    user.must("replay", user.market())
    user.must("backup", tmp_path / "b")
    (tmp_path / "b" / "backup.json").unlink()
    refused = user.refused("restore", tmp_path / "b", "--home", tmp_path / "restored")
    assert user.obey(refused) == "backup DIRECTORY"
    user.must("restore", tmp_path / "DIRECTORY", "--home", tmp_path / "restored")


def test_a_log_that_is_too_damaged_for_a_backup_is_examined(user, tmp_path):
    user.must("replay", user.market())
    with (user.home / "log.sqlite").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 4096)
    user.obey(user.refused("backup", tmp_path / "b"), code=1)
    assert "is damaged" in user.heard
