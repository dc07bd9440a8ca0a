"""Settings: options over the environment over the file, and no key that nobody knows."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from barograph.app.settings import Settings


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


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Settings().folds = 9
