"""Settings of the service: the file lotroom.toml, the environment LOTROOM_*, systemd credentials; later ones win, unknown ones are refused.

`docs/operations.md` lists them, a test compares it with `Settings`. A setting with a description and a default is all there is to say about it;
what has no default that is right for everybody stops the start instead.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from drawing.errors import Refused

FILE_NAME = "lotroom.toml"
FILE_VARIABLE = "LOTROOM_CONFIG"
NO_SETTINGS = (FILE_VARIABLE, "LOTROOM_LANG")  # the second is the commands' own
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"  # set by systemd for LoadCredential=
PREFIX = "LOTROOM_"
ORIGIN = re.compile(r"(https?)://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
LOCAL = ("localhost", "127.0.0.1", "[::1]")

Text = Annotated[str, Field(min_length=1, max_length=200)]


class ComplaintBody(BaseModel):
    """A body that takes complaints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: Text
    en: Text
    phone: str = Field("", max_length=60, pattern=r"^[0-9+() -]*$")
    address_zh: str = Field("", max_length=200)
    address_en: str = Field("", max_length=200)


class Settings(BaseSettings):
    """All settings of the web process and of what it shows."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    listen_host: str = Field("127.0.0.1", description="Address to listen on; a proxy that ends TLS stands before it")
    listen_port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 lets the system choose")
    origin: str = Field(
        "http://localhost:8080", description="Address in the browser's bar, without a path; https except on this machine in a demo"
    )
    more_origins: tuple[str, ...] = Field((), max_length=8, description="Further addresses under which the same service is reached")
    centre_zh: Text = Field("公共资源交易中心", description="Name of the centre in Chinese")
    centre_en: Text = Field("Public Resource Trading Centre", description="Name of the centre in English")
    complaints: tuple[ComplaintBody, ...] = Field(
        (), max_length=12, description="Bodies that take complaints: zh, en, phone, address_zh, address_en"
    )
    insecure_demo: bool = Field(
        default=False, description="Demonstration: plain http on this machine, sample pages, a red banner on every page"
    )
    data_folder: str = Field("lotroom-data", min_length=1, description="Folder of the service's data, for its own user alone (0700)")
    database: str = Field("", description="Address of the database under the web's role; empty: SQLite in the data folder")
    keeper_database: str = Field("", description="The same under the keeper's role, on PostgreSQL; empty: as `database`")
    log_origin: str = Field(
        "", pattern=r"^([a-z0-9][a-z0-9./-]{0,99})?$", description="Name of the log, for ever; empty: the host of `origin` and /log"
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="Port on this machine alone where measurements are read; 0: none")
    language: Literal["zh_CN", "en"] = Field(
        "zh_CN", description="Language of whoever has not chosen one and whose browser asks for neither"
    )
    body_seconds: int = Field(3, ge=1, le=60, description="Time a request's body may take, before what its length adds")
    body_bytes_per_second: int = Field(16_384, ge=1_024, description="Slowest body that is waited for: each so many bytes add a second")
    idle_seconds: int = Field(
        15, ge=5, le=120, description="Time until a connection without a whole request is closed; the proxy's must be shorter"
    )
    stream_most: int = Field(
        500, ge=1, le=20_000, description="Most live streams (page updates) open at a time; one more is told to come back"
    )
    stream_heartbeat_seconds: int = Field(15, ge=1, le=60, description="Time between the comments that keep a live stream open")
    shutdown_seconds: int = Field(5, ge=1, le=60, description="Time that requests have to finish when the service stops")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")

    @field_validator("origin", "more_origins")
    @classmethod
    def _exact(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """An origin as browsers spell it: the comparison is by bytes."""
        for each in (value,) if isinstance(value, str) else value:
            match = ORIGIN.fullmatch(each)
            if not match or match[4] in (":80" if match[1] == "http" else ":443", ":0"):
                raise ValueError("not an origin as a browser spells it, such as https://draw.example.cn")
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> Settings:
        """Plain http only on this machine, and only for show."""
        for each in self.origins:
            if each.startswith("http:") and not (self.insecure_demo and _host(each) in LOCAL):
                raise ValueError("plain http is for a demonstration on this machine only")
        if len({each.partition(":")[0] for each in self.origins}) != 1:
            raise ValueError("http and https origins cannot be mixed")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """Every origin."""
        return (self.origin, *self.more_origins)

    @property
    def hosts(self) -> frozenset[str]:
        """What a Host header may say."""
        return frozenset(each.partition("://")[2] for each in self.origins)

    @property
    def host(self) -> str:
        """The name in the browser's bar, without the port: what passkeys belong to."""
        return _host(self.origin)

    @property
    def log_name(self) -> str:
        """The log's origin line."""
        return self.log_origin or f"{self.host.strip('[]').replace(':', '-')}/log"

    @property
    def encrypted(self) -> bool:
        """Whether browsers reach us by https."""
        return self.origin.startswith("https:")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Credentials over environment over file; the file's values come in by `load`."""
        return file_secret_settings, env_settings, init_settings


def load(environ: Mapping[str, str], folder: Path) -> Settings:
    """The settings of this process. Raises Refused `bad_settings_file`, `unknown_setting` or `bad_setting`, each with its place."""
    named = environ.get(FILE_VARIABLE)
    path = Path(named) if named else folder / FILE_NAME
    values: dict[str, Any] = {}
    if named or path.exists():
        try:
            values = tomllib.loads(path.read_bytes().decode("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
            raise Refused("bad_settings_file", str(path), why=str(fault)) from fault
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known | {*NO_SETTINGS}:
            raise Refused("unknown_setting", name)
    try:
        return _Read(environ.get(CREDENTIALS_VARIABLE))(**values)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise Refused("unknown_setting", place) from None
        raise Refused("bad_setting", place or "origin", why=first["msg"].removeprefix("Value error, ")) from None


def _Read(credentials: str | None) -> type[Settings]:
    """Settings that also look into systemd's folder of credentials, where there is one."""
    if credentials is None:
        return Settings

    class WithCredentials(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **more: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return SecretsSettingsSource(settings_cls, credentials), *super().settings_customise_sources(settings_cls, *sources, **more)

    return WithCredentials


def _host(origin: str) -> str:
    """The name in an origin, without the port."""
    host = origin.partition("://")[2]
    return host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
