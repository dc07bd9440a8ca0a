"""Settings: options over the environment over the file, and no key that nobody knows."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from barograph.app.settings import Settings, in_force, misspelt


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BAROGRAPH_HOME", raising=False)


def test_the_environment_goes_over_the_file_and_options_over_both(monkeypatch):
    Path("barograph.toml").write_text('home = "from-file"\nfolds = 6\nseed = 3\n')
    monkeypatch.setenv("BAROGRAPH_HOME", "from-environment")
    monkeypatch.setenv("BAROGRAPH_SEED", "4")
    settings = Settings(seed=5)
    assert (settings.home, settings.folds, settings.seed) == (Path("from-environment"), 6, 5)


@pytest.mark.parametrize("line", ["fold = 3", "folds = 1", 'silence_timeout_s = "soon"'])
def test_an_unknown_key_or_an_impossible_value_is_refused(line):
    Path("barograph.toml").write_text(line)
    with pytest.raises(ValidationError):
        Settings()


def test_what_sets_each_setting_is_known_with_its_place(monkeypatch):
    Path("barograph.toml").write_text('home = "from-file"\n\n folds= 6\nseed = 3\n')
    monkeypatch.setenv("barograph_seed", "4")
    by_name = {each.name: each for each in in_force(Settings(lease_s=5), {"lease_s": "--lease"})}
    place = Path("barograph.toml").absolute()
    assert {
        name: (each.value, each.source, each.where)
        for name, each in by_name.items()
        if each.source != "default"
    } == {
        "home": ("from-file", "file", f"{place}, line 1"),
        "folds": (6, "file", f"{place}, line 3"),
        "seed": (4, "environment", "barograph_seed"),
        "lease_s": (5, "option", "--lease"),
    }
    assert list(by_name) == list(Settings.model_fields)


def test_a_misspelt_variable_is_told_from_those_of_others(monkeypatch):
    monkeypatch.setenv("BAROGRAPH_PARTITION", "3")
    monkeypatch.setenv("BAROGRAPH_DATA", "/data")
    monkeypatch.setenv("BAROGRAPH_KAFKA_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("BAROGRAPH_FOLDS", "3")
    monkeypatch.setenv("BAROGRAPH_HOMES", "x")
    monkeypatch.setenv("BAROGRAPH_HOEM", "x")
    monkeypatch.setenv("BAROGRAPH_SEDE", "3")
    assert misspelt() == {
        "BAROGRAPH_PARTITION": "BAROGRAPH_PARTITIONS", "BAROGRAPH_HOMES": "BAROGRAPH_HOME",
        "BAROGRAPH_HOEM": "BAROGRAPH_HOME", "BAROGRAPH_SEDE": "BAROGRAPH_SEED",
    }  # fmt: skip


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Settings().folds = 9
