"""The embedded store: an MLflow registry on SQLite, written by MLflow's client, read without it.

The database is `HOME/registry/mlflow.db`; the files of a version lie under
`HOME/registry/artifacts/<run>/artifacts`. Writes go through MLflow's client, one process at a time
(a lock file beside the database); creating the database takes MLflow seconds, once. Reads are
read-only queries of MLflow's tables, without importing MLflow, which takes seconds: so MLflow's
alias is the only source of truth, and looking up the champion takes a fraction of a millisecond.
Paths are derived from HOME, so HOME can be moved.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from barograph import environment
from barograph.errors import RegistryError
from barograph.files.disk import (
    NO_HANDLES,
    check_handles,
    check_room,
    put_in_place,
    write_whole,
)
from barograph.registry.artifacts import content_of, hash_name, removed_partials
from barograph.registry.database import OWNER, ModelDatabase, only_writer
from barograph.registry.mlflow_refusal import refused
from barograph.registry.model import sha256_of
from barograph.registry.storage import NewVersion, WantedFile
from barograph.registry.versions import HELD_OUT, Trial, Version, list_cure

_LEAST_ROOM_BYTES = 4 << 20


class EmbeddedStore:
    """The registry under a home. Safe for several processes; not thread-safe.

    Nothing is created before the first `writing`, and the next writer removes what a killed one
    left. Writing also raises DiskFullError without space and BadInputError without permission.
    wait_s: seconds to wait for another writing process; the error names it.
    warn: called with one line for each leftover of a killed writer.
    """

    problem = ""

    def __init__(self, home: Path, wait_s: float, warn: Callable[[str], None]) -> None:
        self._root = home.absolute() / "registry"
        self._database = self._root / "mlflow.db"
        self._read, self._wait_s = ModelDatabase(self._database).read, wait_s
        self.client: Any = None
        """MLflow's, made by the first writing."""
        self._warn = warn

    def alias(self, case: str, alias: str) -> int | None:
        """The version that an alias points at, or None. Takes a fraction of a millisecond."""
        rows = self._read("alias", case=case, alias=alias)
        return rows[0][0] if rows else None

    def versions(self, case: str) -> list[Version]:
        """All versions, oldest first; empty before the first registration."""
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._read("tags", case=case):
            tags.setdefault(version, {})[key] = value
        aliases = self._read("aliases", case=case)
        return [
            Version(
                version=version,
                run_id=run_id,
                aliases=tuple(alias for pointed, alias in aliases if pointed == version),
                tags=tags.get(version, {}),
            )
            for version, run_id in self._read("versions", case=case)
        ]

    def version(self, case: str, number: int) -> Version | None:
        """One version, or None if there is no such."""
        return next((each for each in self.versions(case) if each.version == number), None)

    def audit(self, case: str) -> list[str]:
        """The entries of the promotion history as text, oldest first."""
        return [text for (text,) in self._read("audit", case=case)]

    def content(self, known: Version, wanted: WantedFile) -> bytes:
        """Read a file of a version. Raises RegistryError if unreadable or too large."""
        path = self.artifacts(known.run_id) / wanted.name
        return content_of(wanted.label, path, wanted.limit, wanted.cure)

    def artifacts(self, run_id: str) -> Path:
        """The folder of a version's files."""
        return self._root / "artifacts" / run_id / "artifacts"

    def check_room(self) -> None:
        """Raise DiskFullError or BadInputError if nothing could be written."""
        check_room(self._root, _LEAST_ROOM_BYTES)

    @contextmanager
    def writing(self, case: str) -> Iterator["_EmbeddedWriter"]:
        """Hold the writer's lock, and change the registry through MLflow's client."""
        self._read("versions", case=case)  # refuse a damaged file here; MLflow would retry
        self.check_room()  # a shorter error than MLflow's
        with only_writer(self._root, case, self._wait_s):
            environment.for_mlflow()
            from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds to import
            from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - comes with MLflow

            try:
                if self.client is None:
                    self.client = _client(self._database)
                self._tidy()
                yield _EmbeddedWriter(self)
            except (MlflowException, SQLAlchemyError) as error:
                check_handles(self._root)
                raise refused(self._database, case, error, list_cure(case)) from error
            except OSError as error:
                if error.errno in NO_HANDLES:
                    raise
                why = f"the registry cannot be written ({error})"
                raise RegistryError(case, why, OWNER) from error

    def new_experiment(self, case: str) -> Any:  # noqa: ANN401 - mlflow is not followed by mypy
        """The id of a case's experiment, which is made where there is none."""
        experiment = self.client.get_experiment_by_name(case)
        if experiment:
            return experiment.experiment_id
        return self.client.create_experiment(case, (self._root / "artifacts").as_uri())

    def is_registered(self, case: str) -> bool:
        """Whether a case has a registered model."""
        return bool(self._read("registered", case=case))

    def _tidy(self) -> None:
        """Remove the leftovers of a killed writer and end its runs; needs the writer's lock."""
        removed_partials(self._root / "artifacts")
        for run_id, is_version in self._read("unfinished"):
            if is_version:
                self.client.set_terminated(run_id)
                did = "had registered its version, which is complete"
            else:
                shutil.rmtree(self._root / "artifacts" / run_id, ignore_errors=True)
                self.client.set_terminated(run_id, "KILLED")
                did = "left an incomplete version, which is removed"
            self._warn(f"a training that was killed {did}: run {run_id}")


class _EmbeddedWriter:
    """Changes the registry through MLflow's client, under the writer's lock."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store, self._mlflow = store, store.client

    def add(self, case: str, new: NewVersion) -> int:
        """Store a version, complete or not at all, and return its number."""
        from mlflow.entities import Metric, Param  # noqa: PLC0415 - seconds to import

        mlflow, milliseconds = self._mlflow, new.time_ns // 1_000_000
        experiment_id = self._store.new_experiment(case)
        made_run = mlflow.create_run(experiment_id, milliseconds, tags={"kind": "version"})
        run_id = made_run.info.run_id
        place = self._store.artifacts(run_id)
        place.mkdir(parents=True)
        for name, content in new.files.items():
            write_whole(place / name, content)
        mlflow.log_batch(
            run_id,
            metrics=[Metric(key, value, milliseconds, step=0) for key, value in new.scores],
            params=[Param(key, text) for key, text in new.tags.items()],
        )
        if not self._store.is_registered(case):
            mlflow.create_registered_model(case)
        made = mlflow.create_model_version(case, place.as_uri(), run_id, tags=new.tags)
        mlflow.set_terminated(run_id, end_time=milliseconds)
        return int(made.version)

    def point(self, case: str, alias: str, version: int) -> None:
        """Point an alias at a version."""
        self._mlflow.set_registered_model_alias(case, alias, str(version))

    def record(self, case: str, number: int, entry_json: str) -> None:
        """Store an entry of the promotion history; `number` counts from 1."""
        self._mlflow.set_registered_model_tag(case, f"audit.{number:06d}", entry_json)

    def attach(self, case: str, known: Version, name: str, content: bytes) -> None:
        """Store a file with a version; replaces one of the same name."""
        write_whole(self._store.artifacts(known.run_id) / name, content)
        self._mlflow.set_model_version_tag(
            case, str(known.version), hash_name(name), sha256_of(content)
        )

    def add_trials(self, case: str, trials: list[tuple[Trial, dict[str, str]]]) -> None:
        """Store each trial of a search as a run, with its parameters as text."""
        from mlflow.entities import Metric, Param  # noqa: PLC0415 - seconds to import

        mlflow = self._mlflow
        experiment_id = mlflow.get_experiment_by_name(case).experiment_id
        for trial, params in trials:
            run_id = mlflow.create_run(experiment_id, tags={"kind": "trial"}).info.run_id
            mlflow.log_batch(
                run_id,
                metrics=[
                    Metric(HELD_OUT, value, 0, step=fold)
                    for fold, value in enumerate(trial.selection)
                ],
                params=[Param(key, text) for key, text in params.items()],
            )
            mlflow.set_terminated(run_id)


def _client(database: Path) -> Any:  # noqa: ANN401 - mlflow is not followed by mypy
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - seconds to import
    from sqlalchemy import URL  # noqa: PLC0415 - comes with MLflow

    def client(path: Path) -> Any:  # noqa: ANN401
        address = URL.create("sqlite", database=str(path)).render_as_string()
        return MlflowClient(tracking_uri=address, registry_uri=address)

    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # its exceptions carry the message
    if not database.exists():
        # MLflow takes seconds to create a database and refuses an incomplete one for good, so the
        # database gets its name only when complete.
        for left in database.parent.glob("*.making*"):
            left.unlink()
        making = database.with_suffix(f".{os.getpid()}.making")
        client(making)
        put_in_place(making, database)
    return client(database)
