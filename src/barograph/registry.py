"""The registry: model versions with their facts, and which of them is champion.

MLflow on SQLite keeps it: `HOME/registry/mlflow.db`, with `model.onnx` and `facts.json` of each
version under `HOME/registry/artifacts/<run>/artifacts`. Writing goes through MLflow's client, one
process at a time (a lock file beside the database); making the database takes MLflow seconds, once.
Reading needs no MLflow, which takes seconds to import: it is a read-only query of its tables, so
the alias that MLflow keeps stays the only truth and asking for the champion costs a fraction of a
millisecond. Paths follow from HOME, so that HOME can be moved.
"""

import fcntl
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec

from barograph.errors import ForeignFeaturesError, RegistryError
from barograph.models import MAX_ONNX_BYTES, ModelFacts, OnnxModel, sha256_of
from barograph.scorer import Model

Alias = Literal["candidate", "champion"]

_QUERIES: dict[str, str] = {
    name: text.strip()
    for name, text in re.findall(
        r"^-- name: (\w+)$(.*?)(?=^-- name:|\Z)",
        files("barograph").joinpath("registry.sql").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
}
_READ_WAIT_S = 5.0
_MAX_FACTS_BYTES = 2**20
_RETRAIN = "Train again (`barograph train`) or roll back (`barograph models rollback`)"
_LIST = "See what there is with `barograph models list`"
_facts = msgspec.json.Decoder(ModelFacts)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the registry's list; `tags` hold the facts as text, without reading the model."""

    version: int
    run_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit: `version` became champion in the place of `previous`, and why."""

    time_ns: int
    action: Literal["promote", "rollback"]
    version: int
    previous: int | None
    reason: str


class Registry:
    """The models under `home`. Several processes may use it at once; one object, one thread.

    Nothing is created until the first `register`. Every method raises RegistryError when the
    database cannot be used or what is asked for is not there or damaged; it names the cure.
    """

    def __init__(self, home: Path) -> None:
        self._root = home.absolute() / "registry"
        self._database = self._root / "mlflow.db"
        self._mlflow: Any = None

    def register(
        self, case: str, onnx: bytes, facts: ModelFacts, params: Mapping[str, str] | None = None
    ) -> int:
        """Keep a model as the next version of `case` and return its number; no alias changes.

        The version appears complete or not at all. `params` are training parameters for MLflow's
        list; scores and the rest come from `facts`.
        """
        _check(f"{case} (new)", onnx, facts, case)
        told = msgspec.json.encode(facts)
        with self._writing(case) as mlflow:
            from mlflow.entities import Metric, Param  # noqa: PLC0415 - seconds to import

            experiment = mlflow.get_experiment_by_name(case)
            experiment_id = (
                experiment.experiment_id
                if experiment
                else mlflow.create_experiment(case, (self._root / "artifacts").as_uri())
            )
            milliseconds = facts.created_time_ns // 1_000_000
            run_id = mlflow.create_run(experiment_id, start_time=milliseconds).info.run_id
            place = self._artifacts(run_id)
            place.mkdir(parents=True)
            _write(place / "model.onnx", onnx)
            _write(place / "facts.json", told)
            tags = _tags(facts, told)
            mlflow.log_batch(
                run_id,
                metrics=[
                    Metric(key, value, milliseconds, step=0) for key, value in _figures(facts)
                ],
                params=[Param(key, text) for key, text in (tags | dict(params or {})).items()],
            )
            if not self._read("registered", case=case):
                mlflow.create_registered_model(case)
            made = mlflow.create_model_version(case, place.as_uri(), run_id, tags=tags)
            mlflow.set_terminated(run_id, end_time=milliseconds)
        return int(made.version)

    def set_alias(self, case: str, alias: Alias, version: int) -> None:
        """Point an alias at a version; "champion" is a promotion by hand."""
        if alias == "champion":
            self.promote(case, version, "set by hand")
            return
        self._known(case, version)
        with self._writing(case) as mlflow:
            mlflow.set_registered_model_alias(case, alias, str(version))

    def promote(self, case: str, version: int, reason: str) -> None:
        """Make a sound version champion, with an entry in the audit."""
        self._sound(case, version)
        with self._writing(case) as mlflow:
            self._crown(mlflow, case, "promote", version, reason)

    def rollback(self, case: str, reason: str = "rolled back by hand") -> int:
        """Make the champion before this one champion again and return its version."""
        with self._writing(case) as mlflow:
            champion = self.champion_version(case)
            former: list[int] = []
            for entry in self.history(case):
                if entry.action == "promote":
                    former.append(entry.version)
                while entry.action == "rollback" and former and former[-1] != entry.version:
                    former.pop()
            while former and former[-1] == champion:
                former.pop()
            if not former:
                raise RegistryError(
                    f"{case}/{champion or 'none'}", "there was no champion before it", _LIST
                )
            self._sound(case, former[-1])
            self._crown(mlflow, case, "rollback", former[-1], reason)
        return former[-1]

    def history(self, case: str) -> list[Promotion]:
        """Every promotion and rollback, oldest first."""
        rows = self._read("audit", case=case)
        try:
            return [msgspec.json.decode(text, type=Promotion) for (text,) in rows]
        except msgspec.DecodeError as error:
            raise RegistryError(case, f"its audit is damaged ({error})", _RETRAIN) from error

    def version_of(self, case: str, alias: Alias) -> int | None:
        """The version that an alias points at, or None. Cheap, and needs no MLflow."""
        rows = self._read("alias", case=case, alias=alias)
        return int(rows[0][0]) if rows else None

    def champion_version(self, case: str) -> int | None:
        """The champion's version, or None: to be asked once a second for a hot swap."""
        return self.version_of(case, "champion")

    def versions(self, case: str) -> list[Version]:
        """All versions, oldest first; empty where nothing was registered."""
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._read("tags", case=case):
            tags.setdefault(int(version), {})[key] = value
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

    def load(self, case: str, which: Alias | int, feature_set: str) -> Model:
        """A version, or the one that an alias points at, verified and ready to score.

        Raises ForeignFeaturesError when it was made with another feature set than this one.
        """
        version = which if isinstance(which, int) else self.version_of(case, which)
        if version is None:
            raise RegistryError(
                f"{case}/{which}",
                "no version has this alias",
                "Train and promote one (`barograph train`, `barograph models promote`)",
            )
        facts, onnx = self._sound(case, version)
        if facts.feature_set != feature_set:
            raise ForeignFeaturesError(f"model {case}/{version}", facts.feature_set, feature_set)
        return Model(f"{case}/{version}", facts, onnx)

    def _sound(self, case: str, version: int) -> tuple[ModelFacts, OnnxModel]:
        label = f"{case}/{version}"
        known = self._known(case, version)
        place = self._artifacts(known.run_id)
        told = _content(label, place / "facts.json", _MAX_FACTS_BYTES)
        onnx = _content(label, place / "model.onnx", MAX_ONNX_BYTES)
        for name, content in (("facts", told), ("onnx", onnx)):
            if sha256_of(content) != known.tags.get(f"{name}_sha256"):
                raise RegistryError(label, f"its {name} are not what was registered", _RETRAIN)
        try:
            facts = _facts.decode(told)
        except msgspec.DecodeError as error:
            raise RegistryError(label, f"its facts cannot be read ({error})", _RETRAIN) from error
        return facts, _check(label, onnx, facts, case)

    def _known(self, case: str, version: int) -> Version:
        for known in self.versions(case):
            if known.version == version:
                return known
        raise RegistryError(f"{case}/{version}", "there is no such version", _LIST)

    def _crown(
        self,
        mlflow: Any,  # noqa: ANN401 - mlflow is not followed by mypy
        case: str,
        action: Literal["promote", "rollback"],
        version: int,
        reason: str,
    ) -> None:
        entry = Promotion(
            time_ns=time.time_ns(),
            action=action,
            version=version,
            previous=self.champion_version(case),
            reason=reason[:1000],
        )
        # The alias first: a rollback after a crash in between finds the champion before this one.
        mlflow.set_registered_model_alias(case, "champion", str(version))
        key = f"audit.{len(self.history(case)) + 1:06d}"
        mlflow.set_registered_model_tag(case, key, msgspec.json.encode(entry).decode())

    def _artifacts(self, run_id: str) -> Path:
        return self._root / "artifacts" / run_id / "artifacts"

    def _read(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        if not self._database.exists():
            return []
        address = f"{self._database.as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, timeout=_READ_WAIT_S, uri=True)) as database:
                return database.execute(_QUERIES[query], values).fetchall()
        except sqlite3.DatabaseError as error:
            raise RegistryError(
                str(self._database),
                f"the database cannot be read ({error})",
                "Try again when no other program holds it, or move the directory away and train",
            ) from error

    @contextmanager
    def _writing(self, case: str) -> Iterator[Any]:
        """MLflow's client, for this process alone; what MLflow refuses becomes RegistryError."""
        self._read("versions", case=case)  # a damaged file is refused here, MLflow would retry
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            lock = (self._root / "lock").open("wb")
        except OSError as error:
            raise RegistryError(
                case, f"the registry cannot be written ({error})", _OWNER
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Read at import: without them MLflow asks a server what to report, and reports.
            os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
            from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds to import

            try:
                if self._mlflow is None:
                    self._mlflow = _client(self._database)
                yield self._mlflow
            except MlflowException as error:
                raise RegistryError(case, f"MLflow refused ({error})", _LIST) from error
            except OSError as error:
                raise RegistryError(
                    case, f"the registry cannot be written ({error})", _OWNER
                ) from error


_OWNER = "Check the owner, the rights and the free space of --home"


def _client(database: Path) -> Any:  # noqa: ANN401 - mlflow is not followed by mypy
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - seconds to import
    from sqlalchemy import URL  # noqa: PLC0415 - comes with MLflow

    def client(path: Path) -> Any:  # noqa: ANN401
        address = URL.create("sqlite", database=str(path)).render_as_string()
        return MlflowClient(tracking_uri=address, registry_uri=address)

    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
    if not database.exists():
        # MLflow migrates a new database for seconds, table by table, and refuses for ever one that
        # was left half-way: so it appears under its name only when it is complete.
        for left in database.parent.glob("*.making*"):
            left.unlink()
        making = database.with_suffix(f".{os.getpid()}.making")
        client(making)
        making.rename(database)
    return client(database)


def _check(label: str, onnx: bytes, facts: ModelFacts, case: str) -> OnnxModel:
    if facts.case != case:
        raise RegistryError(label, f"its facts are those of case {facts.case!r}", _RETRAIN)
    if facts.sha256 != sha256_of(onnx):
        raise RegistryError(label, "its facts are those of another graph", _RETRAIN)
    return OnnxModel(onnx, len(facts.features), label)


def _tags(facts: ModelFacts, told: bytes) -> dict[str, str]:
    """The facts as text, and the hashes of what was stored."""
    fields = msgspec.to_builtins(facts)
    del fields["sha256"], fields["scores"]
    text = {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in fields.items()
    }
    return text | {"onnx_sha256": facts.sha256, "facts_sha256": sha256_of(told)}


def _figures(facts: ModelFacts) -> Iterator[tuple[str, float]]:
    for group, figures in facts.scores.items():
        for name, value in figures.items():
            if value is not None:
                yield f"{group}.{name}", value


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _content(label: str, path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise RegistryError(label, f"{path} cannot be read ({error.strerror})", _RETRAIN) from error
    if len(content) > limit:
        raise RegistryError(label, f"{path} is larger than {limit} bytes", _RETRAIN)
    return content
