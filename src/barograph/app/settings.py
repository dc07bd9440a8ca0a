"""Settings from barograph.toml, overridden by the environment, overridden by options."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Settings(BaseSettings):
    """All settings; docs/barograph.toml explains each key.

    Environment variables are BAROGRAPH_HOME, BAROGRAPH_PARTITIONS and so on.
    """

    model_config = SettingsConfigDict(
        env_prefix="BAROGRAPH_", toml_file="barograph.toml", frozen=True, extra="forbid"
    )

    home: Path = Path("barograph-home")
    partitions: Annotated[int, Field(ge=1, le=1024)] = 3
    silence_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    queue_entries: Annotated[int, Field(ge=100, le=1_000_000)] = 20_000
    clock_limit_s: Annotated[float, Field(gt=0, le=1e12)] = 2.0
    stale_after_s: Annotated[float, Field(gt=0, le=1_000_000_000)] = 30.0
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 4096
    lease_s: Annotated[float, Field(ge=0.1, le=86_400)] = 30.0
    model_refresh_s: Annotated[float, Field(gt=0, le=86_400)] = 1.0
    model_lifetime_h: Annotated[float, Field(gt=0, le=1_000_000)] = 168.0
    retrain_every_h: Annotated[float, Field(ge=0, le=1_000_000)] = 24.0
    folds: Annotated[int, Field(ge=2, le=50)] = 4
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 1

    @field_validator("home", mode="before")
    @classmethod
    def _named(cls, home: object) -> object:
        if not str(home):
            raise ValueError("it is empty, and would be the working directory")
        return home

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
