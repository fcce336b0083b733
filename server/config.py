"""Settings of the service: the file lotroom.toml, the environment LOTROOM_*, systemd credentials; later ones win, unknown ones are refused.

`docs/operations.md` lists them, a test compares it with `Settings`. A setting with a description and a default is all there is to say about it;
what has no default that is right for everybody stops the start instead.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from drawing.errors import Refused
from drawing.note import COSIGNATURE, MLDSA_COSIGNATURE, VKey
from server.retention import YEARS
from server.webhook_address import Reach

FILE_NAME = "lotroom.toml"
FILE_VARIABLE = "LOTROOM_CONFIG"
NO_SETTINGS = (FILE_VARIABLE, "LOTROOM_LANG")  # the second is the commands' own
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"  # set by systemd for LoadCredential=
PREFIX = "LOTROOM_"
ORIGIN = re.compile(r"(https?)://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
PEER = r"^[a-z0-9_][a-z0-9_-]{0,31}=(web|courier|console)(,(web|courier|console))*$"
LOCAL = ("localhost", "127.0.0.1", "[::1]")
WEB_ADDRESS = r"^(https?://[!-~]{1,280})?$"
LEAST_SECRET = 32

Text = Annotated[str, Field(min_length=1, max_length=200)]


class ComplaintBody(BaseModel):
    """A body that takes complaints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: Text
    en: Text
    phone: str = Field("", max_length=60, pattern=r"^[0-9+() -]*$")
    address_zh: str = Field("", max_length=200)
    address_en: str = Field("", max_length=200)


class LogWitness(BaseModel):
    """A witness of the service's log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(max_length=300, pattern=r"^https?://[!-~]+$")
    vkey: str = Field(max_length=4_000)
    second: str = Field("", max_length=4_000)  # its ML-DSA-44 key

    @model_validator(mode="after")
    def _keys(self) -> LogWitness:
        """Cosigning keys, and nothing else: a log's key in their place would never count."""
        for text, algorithm in ((self.vkey, COSIGNATURE), (self.second, MLDSA_COSIGNATURE)):
            if text:
                try:
                    found = VKey.parse(text)
                except Refused:
                    raise ValueError("not a verifier key as lotroom witness show prints it") from None
                if found.algorithm != algorithm:
                    raise ValueError("not a key of this kind of cosignature")
        return self


class Settings(BaseSettings):
    """All settings of the web process and of what it shows."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    listen_host: str = Field("127.0.0.1", description="Address to listen on; a proxy that ends TLS stands before it")
    listen_port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 lets the system choose")
    origin: str = Field(
        "http://localhost:8080", description="Address in the browser's bar, without a path; https except on this machine in a demo"
    )
    more_origins: tuple[str, ...] = Field((), max_length=8, description="Further addresses under which the same service is reached")
    trusted_proxies: tuple[str, ...] = Field(
        (), max_length=16, description="Addresses or networks of proxies before the service; X-Forwarded-For is believed from them alone"
    )
    sso_issuer: str = Field("", max_length=200, description="The organisation's identity provider (OpenID Connect issuer); empty: none")
    sso_name: str = Field("", max_length=40, description="Its name on the button of the sign-in page")
    sso_client_id: str = Field(
        "", max_length=200, description="Our name at the provider; its redirect address is origin and /sign-in/sso/back"
    )
    sso_client_secret: str = Field("", max_length=400, repr=False, description="Our secret at the provider; empty for a public client")
    centre_zh: Text = Field("公共资源交易中心", description="Name of the centre in Chinese")
    centre_en: Text = Field("Public Resource Trading Centre", description="Name of the centre in English")
    complaints: tuple[ComplaintBody, ...] = Field(
        (), max_length=12, description="Bodies that take complaints: zh, en, phone, address_zh, address_en"
    )
    retention_years: int = Field(
        YEARS, ge=YEARS, le=100, description="Years for which the sealed files of a draw are kept before people may have them destroyed"
    )
    insecure_demo: bool = Field(
        default=False, description="Demonstration: plain http on this machine, sample pages, a red banner on every page"
    )
    data_folder: str = Field("lotroom-data", min_length=1, description="Folder of the service's data, for its own user alone (0700)")
    database: str = Field("", max_length=500, description="Address of the database under the web's role; empty: SQLite in the data folder")
    keeper_database: str = Field("", max_length=500, description="The same under the keeper's role, on PostgreSQL; empty: as `database`")
    run_folder: str = Field(
        "",
        max_length=80,
        description="Folder of the keeper's socket and the courier's sign of life, where web, keeper and courier are different users",
    )
    keeper_peers: tuple[Annotated[str, Field(pattern=PEER)], ...] = Field(
        (),
        max_length=8,
        description="Other system users that the keeper answers: `USER=web`, `USER=courier`, `USER=console`; empty: its own user alone",
    )
    log_origin: str = Field(
        "", pattern=r"^([a-z0-9][a-z0-9./-]{0,99})?$", description="Name of the log, for ever; empty: the host of `origin` and /log"
    )
    log_witnesses: tuple[LogWitness, ...] = Field(
        (), max_length=16, description="Witnesses of the log: address, vkey and, where it has an ML-DSA-44 key too, second"
    )
    log_quorum: int = Field(0, ge=0, le=16, description="So many witnesses make a checkpoint witnessed; 0: 1 + floor(2W/3) of W")
    log_witness_seconds: int = Field(
        60, ge=5, le=3_600, description="While the log stands still, witnesses cosign its newest checkpoint anew each so many seconds"
    )
    courier_box: str = Field(
        "",
        pattern=r"^([0-9a-f]{64})?$",
        description="Where the courier is another user than the keeper: what stands in its courier.pub; empty: the data folder's",
    )
    sms_address: str = Field(
        "", pattern=WEB_ADDRESS, description="Where text messages are handed to a gateway (docs/notices.md); empty: none are sent"
    )
    sms_secret: str = Field(
        "", max_length=200, repr=False, description="What requests to that gateway are signed with, 32 characters or more"
    )
    voice_address: str = Field("", pattern=WEB_ADDRESS, description="Where calls are handed to a gateway; empty: nobody is called")
    voice_secret: str = Field("", max_length=200, repr=False, description="What requests to that gateway are signed with")
    callback_secret: str = Field(
        "",
        max_length=200,
        repr=False,
        description="What gateways sign receipts and answers with, 32 characters or more; empty: none are taken",
    )
    smtp_host: str = Field("", pattern=r"^[A-Za-z0-9.:\[\]-]{0,200}$", description="Mail server; empty: no mail is sent")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the way to it is encrypted; none only on this machine"
    )
    smtp_user: str = Field("", max_length=200, description="Account at the mail server; empty: none")
    smtp_password: str = Field("", max_length=200, repr=False, description="Its password")
    smtp_sender: str = Field("", pattern=r"^([!-~]{1,64}@[A-Za-z0-9.-]{1,200})?$", description="Address that mail comes from")
    beacon_relays: tuple[Annotated[str, Field(pattern=r"^https?://[!-~]{1,280}$")], ...] = Field(
        (), max_length=16, description="Where values of the beacon are fetched; empty: for drand the public relays"
    )
    webhook_networks: tuple[str, ...] = Field(
        (), max_length=16, description="Private networks whose webhooks are reached (docs/webhooks.md); others are refused"
    )
    gateway_port: int = Field(0, ge=0, le=65535, description="Demonstration: the port of the page that shows phones; 0: none")
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

    @field_validator("trusted_proxies", "webhook_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Each an address or a network, and none of them everybody."""
        for each in value:
            if ip_network(each).prefixlen == 0:
                raise ValueError("trusting everybody is trusting nobody")
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> Settings:
        """Plain http only on this machine, and only for show."""
        for each in self.origins:
            if each.startswith("http:") and not (self.insecure_demo and _host(each) in LOCAL):
                raise ValueError("plain http is for a demonstration on this machine only")
        if self.log_quorum > len(self.log_witnesses):
            raise ValueError("log_quorum asks for more witnesses than log_witnesses has")
        names = [VKey.parse(each.vkey).name for each in self.log_witnesses]
        if len({each.address for each in self.log_witnesses}) != len(names) or len(set(names)) != len(names):
            raise ValueError("two log_witnesses share an address or a name")
        if len({each.partition(":")[0] for each in self.origins}) != 1:
            raise ValueError("http and https origins cannot be mixed")
        return self

    @property
    def webhook_reach(self) -> Reach:
        """Where webhooks may go."""
        return Reach(self.insecure_demo, self.webhook_networks)

    @model_validator(mode="after")
    def _gateways(self) -> Settings:
        """A gateway is reached encrypted or on this machine, and knows our requests by a secret; mail has a sender."""
        for address, secret in ((self.sms_address, self.sms_secret), (self.voice_address, self.voice_secret)):
            if address and len(secret) < LEAST_SECRET:
                raise ValueError("a gateway needs a secret of 32 characters or more")
            if address.startswith("http:") and _host(address.partition("://")[0] + "://" + _authority(address)) not in LOCAL:
                raise ValueError("a gateway elsewhere is reached by https")
        if self.callback_secret and len(self.callback_secret) < LEAST_SECRET:
            raise ValueError("callback_secret needs 32 characters or more")
        if self.smtp_host and not self.smtp_sender:
            raise ValueError("mail needs smtp_sender")
        if self.smtp_host and self.smtp_security == "none" and self.smtp_host not in LOCAL:
            raise ValueError("mail to another machine is encrypted")
        if self.gateway_port and not self.insecure_demo:
            raise ValueError("gateway_port is for a demonstration")
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
    def quorum(self) -> int:
        """How many witnesses make a checkpoint witnessed (docs/spec/keylist.md 3)."""
        return self.log_quorum or (1 + 2 * len(self.log_witnesses) // 3 if self.log_witnesses else 0)

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


def _authority(address: str) -> str:
    """Host and port of an address, without what comes before an @ or after a slash."""
    return address.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _host(origin: str) -> str:
    """The name in an origin, without the port."""
    host = origin.partition("://")[2]
    return host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
