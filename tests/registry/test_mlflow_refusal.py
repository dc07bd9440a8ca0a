"""A database that another version of MLflow made is refused in one line, with what mends it."""

import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from barograph.errors import RegistryError
from barograph.registry.mlflow_refusal import refused
from barograph.registry.registry import Registry
from registered_models import facts_of, graph


def schema_of(home, change=None):
    with closing(sqlite3.connect(home / "registry" / "mlflow.db")) as database, database:
        if change:
            database.execute("UPDATE alembic_version SET version_num = ?", (change,))
        return database.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_damage_is_restored_and_anything_else_has_the_cure_of_the_caller(tmp_path):
    path = tmp_path / "mlflow.db"
    assert "backup" in str(refused(path, "spikes", ValueError("no such table: runs"), "Do it"))
    assert str(refused(path, "spikes", ValueError("a\nb"), "Do it")).endswith("(a b). Do it.")


@pytest.mark.slow
def test_a_registry_of_a_newer_mlflow_is_refused(made_home, tmp_path):
    home = shutil.copytree(made_home, tmp_path / "home")
    schema_of(home, "fffffffffff0")
    onnx = graph()
    with pytest.raises(RegistryError, match="a newer MLflow wrote the database") as error:
        Registry(home).register("spikes", onnx, facts_of(onnx))
    assert "Update Barograph and MLflow" in str(error.value)
    assert str(error.value).count("\n") == 0


def before_last(home):
    """Take the last migration of a database back; returns its schema then."""
    script = """
import sys
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
command.downgrade(_get_alembic_config(sys.argv[1]), "-1")
"""
    address = f"sqlite:///{home / 'registry' / 'mlflow.db'}"
    words = [sys.executable, "-c", script, address]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    return done, schema_of(home)


@pytest.mark.slow
def test_a_registry_of_an_older_mlflow_is_written(made_home, tmp_path):
    """MLflow migrates by itself where a table is missing."""
    home = shutil.copytree(made_home, tmp_path / "home")
    now = schema_of(home)
    done, before = before_last(home)
    assert before != now, done.stderr
    onnx = graph()
    assert Registry(home).register("spikes", onnx, facts_of(onnx)) == 1
    assert schema_of(home) == now


@pytest.mark.slow
def test_a_database_that_mlflow_does_not_migrate_by_itself_is_migrated_as_advised(
    made_home, tmp_path
):
    home = shutil.copytree(made_home, tmp_path / "a home")
    now = schema_of(home)
    _, before = before_last(home)
    text = f"Detected out-of-date database schema (found version {before}, but expected {now})"
    error = refused(home / "registry" / "mlflow.db", "spikes", ValueError(text), "Do it")
    assert "an older MLflow made the database" in str(error)
    [command] = re.findall(r"`mlflow (.*?)`", str(error))
    words = [sys.executable, "-m", "mlflow", *shlex.split(command)]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert schema_of(home) == now
