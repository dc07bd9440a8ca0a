"""What an error of MLflow's own means for a registry, and what to do about it."""

import re
from importlib.resources import files
from pathlib import Path
from shlex import quote

from barograph.errors import RegistryError
from barograph.registry.database import BACKUP

_MAX_WHY = 300
_DAMAGE = ("malformed", "not a database", "Could not decode", "no such table", "no such column")
_OTHER_SCHEMA = re.compile(r"database schema \(found version (\w+), but expected (\w+)\)")


def refused(database: Path, case: str, error: Exception, otherwise: str) -> RegistryError:
    """Return the registry's error for one of MLflow or SQLAlchemy.

    otherwise: the cure where the database is not at fault.
    """
    text = str(error)
    if schema := _OTHER_SCHEMA.search(text):
        return _of_another_version(database, *schema.groups())
    why = " ".join(text.split())[:_MAX_WHY]
    cure = BACKUP if any(sign in text for sign in _DAMAGE) else otherwise
    return RegistryError(case, f"MLflow refused ({why})", cure)


def _of_another_version(database: Path, schema: str, known: str) -> RegistryError:
    migrations = files("mlflow.store.db_migrations.versions")
    if any(each.name.startswith(f"{schema}_") for each in migrations.iterdir()):
        why = f"an older MLflow made the database (schema {schema}, now {known})"
        command = f"mlflow db upgrade {quote(f'sqlite:///{database}')}"
        cure = f"Back the home up (`barograph backup DIRECTORY`), and migrate it (`{command}`)"
    else:
        why = f"a newer MLflow wrote the database (schema {schema}, known is {known})"
        cure = "Update Barograph and MLflow, or use another --home"
    return RegistryError(str(database), why, cure)
