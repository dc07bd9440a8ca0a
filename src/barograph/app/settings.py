"""Settings from barograph.toml, overridden by the environment, overridden by options."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from barograph.alert_records import Change
from barograph.app.alerting.forecast_limits import forecast_limits
from barograph.app.alerting.quiet import quiet_hours
from barograph.errors import BadInputError
from barograph.registry.tracking_server import tracking_server

FILE = "barograph.toml"
PREFIX = "BAROGRAPH_"
_OF_KAFKA = f"{PREFIX}KAFKA_"
"""Variables that the client of Kafka reads; it refuses those that it does not know."""

_NEAR = 0.75
"""How alike two names are, of 1, for one to be a misspelling of the other: two letters of four
that changed places still are.
"""


class Settings(BaseSettings):
    """All settings; docs/barograph.toml explains each key.

    Environment variables are BAROGRAPH_HOME, BAROGRAPH_PARTITIONS and so on.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=FILE, frozen=True, extra="forbid"
    )

    home: Path = Path("barograph-home")
    registry: str = ""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 3
    silence_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    queue_entries: Annotated[int, Field(ge=100, le=1_000_000)] = 20_000
    clock_limit_s: Annotated[float, Field(gt=0, le=1e12)] = 2.0
    max_letter_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    stale_after_s: Annotated[float, Field(gt=0, le=1_000_000_000)] = 30.0
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 4096
    lease_s: Annotated[float, Field(ge=0.1, le=86_400)] = 30.0
    model_refresh_s: Annotated[float, Field(gt=0, le=86_400)] = 1.0
    alert_release: Annotated[float, Field(gt=0, le=1)] = 0.8
    alert_after_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    alert_forecasts: str = ""
    alert_clear_s: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    alert_feed_age_s: Annotated[float, Field(ge=0, le=1_000_000_000)] = 30.0
    alert_gap_s: Annotated[float, Field(ge=0, le=1_000_000_000)] = 10.0
    alert_lag_s: Annotated[float, Field(ge=0, le=1_000_000_000)] = 30.0
    alert_dead_letters_per_min: Annotated[float, Field(ge=0, le=1e12)] = 60.0
    alert_changes: str = "began,ended,judged"
    alert_give_up_s: Annotated[float, Field(ge=1, le=80_000)] = 3600.0
    alert_bell: bool = True
    quiet_hours: str = ""
    page_url: str = ""
    health_every_s: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    model_lifetime_h: Annotated[float, Field(gt=0, le=1_000_000)] = 168.0
    retrain_every_h: Annotated[float, Field(ge=0, le=1_000_000)] = 24.0
    log_format: Literal["console", "json"] = "console"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    metrics_host: str = "127.0.0.1"
    web_hosts: str = ""
    web_origins: str = ""
    quality_max_null_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    quality_max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.001
    quality_max_missing_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    quality_max_jump: Annotated[float, Field(gt=0, le=10)] = 0.5
    quality_max_age_h: Annotated[float, Field(gt=0, le=1_000_000)] = 48.0
    quality_min_volume: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    folds: Annotated[int, Field(ge=2, le=50)] = 4
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 1

    @field_validator("home", mode="before")
    @classmethod
    def _named(cls, home: object) -> object:
        if not str(home):
            raise ValueError("it is empty, and would be the working directory")
        return home

    @field_validator("registry")
    @classmethod
    def _server(cls, registry: str) -> str:
        try:
            tracking_server(registry, {})
        except BadInputError as error:
            raise ValueError(f"{error.why}. {error.cure}") from None
        return registry

    @field_validator("alert_changes")
    @classmethod
    def _changes(cls, changes: str) -> str:
        for each in changes.split(","):
            Change(each.strip())
        return changes

    @field_validator("alert_forecasts")
    @classmethod
    def _forecasts(cls, limits: str) -> str:
        forecast_limits(limits)
        return limits

    @field_validator("quiet_hours")
    @classmethod
    def _quiet(cls, hours: str) -> str:
        quiet_hours(hours)
        return hours

    @field_validator("page_url")
    @classmethod
    def _page(cls, url: str) -> str:
        if url and not (url.startswith(("http://", "https://")) and url.isprintable()):
            raise ValueError("it is no http or https address")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Precedence: options, environment, file; no .env and no secret files."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


class SettingInForce(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a setting and what set it.

    `where` names the file with its line, the environment variable or the option; it is empty for a
    default.
    """

    name: str
    value: str | bool | int | float
    source: Literal["default", "file", "environment", "option"]
    where: str


def in_force(settings: Settings, options: Mapping[str, str]) -> list[SettingInForce]:
    """Every setting with its value and its source. options: setting → the option that set it."""
    sources = Sources(options)
    return [
        SettingInForce(
            name=name,
            value=str(value) if isinstance(value, Path) else value,
            source=source,
            where=where,
        )
        for name, value in settings
        for source, where in [sources.of(name)]
    ]


class Sources:
    """What sets settings: options, environment and file, as they are now.

    options: setting → the option that set it.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        self._environment = EnvSettingsSource(Settings)()
        self._file = TomlConfigSettingsSource(Settings)()

    def of(self, name: str) -> tuple[Literal["default", "file", "environment", "option"], str]:
        """What sets the setting `name`, and where."""
        if name in self._options:
            return "option", self._options[name]
        if name in self._environment:
            return "environment", _variable(name)
        if name in self._file:
            return "file", place_in_file(name)
        return "default", ""


def _variable(name: str) -> str:
    """The environment variable of a setting, as it is spelled there."""
    wanted = f"{PREFIX}{name}".upper()
    return next((each for each in os.environ if each.upper() == wanted), wanted)


def place_in_file(key: str) -> str:
    """The settings file with the line on which `key` stands, if it can be found."""
    file = Path(FILE).absolute()
    assigned = re.compile(rf"""\s*(?:\[+\s*)?["']?{re.escape(key)}["']?\s*[=.\]]""")
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if assigned.match(line):
            return f"{file}, line {number}"
    return str(file)


def near(name: str) -> str | None:
    """The setting of which `name` is a misspelling, or None."""
    return next(iter(get_close_matches(name.lower(), Settings.model_fields, 1, _NEAR)), None)


def misspelt() -> dict[str, str]:
    """Environment variables that look like a setting's and are none, to the one that is meant."""
    unknown = {
        variable: near(variable.upper().removeprefix(PREFIX))
        for variable in os.environ
        if variable.upper().startswith(PREFIX) and not variable.upper().startswith(_OF_KAFKA)
        and variable.upper().removeprefix(PREFIX).lower() not in Settings.model_fields
    }  # fmt: skip
    return {name: f"{PREFIX}{meant.upper()}" for name, meant in unknown.items() if meant}
