"""Typed settings from the environment, validated when a process starts. Their names are fixed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchestrator.callbacks.retry import Schedule
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.files import STOCK_MUSIC
from orchestrator.outgoing.networks import Network, parse_networks
from orchestrator.recordings.sealed import parse_key
from orchestrator.running import running_settings
from orchestrator.setting_values import (
    check_command,
    check_media_url,
    check_redis_url,
    parse_delays,
    parse_hosts,
    parse_nodes,
    parse_routes,
)
from orchestrator.store.redis_urls import is_cluster

SHORTEST_TOKEN = 16
_PATH = r"^(/[A-Za-z0-9_.-]+)*$"  # it becomes part of a command
_BIND = re.compile(r"(?P<host>[^\s]+):(?P<port>\d{1,5})", re.ASCII)


class SettingsError(Exception):
    """One or more settings are wrong; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="state, labels, outbox")
    queue_redis_url: str = Field("", description="RQ's Redis, no cluster; empty: the same as REDIS_URL")
    freeswitch_nodes: Annotated[tuple[NodeAddress, ...], NoDecode] = Field(
        (), description="name=host:port of each node's event socket, separated by commas"
    )
    freeswitch_password: str = Field("", description="the event socket's password, the same on every node", repr=False)
    orchestrator_bind: str = Field("127.0.0.1:8080", description="where the API listens")
    orchestrator_public_url: str = Field(
        "", description="how clients reach the API; `up` prints it. Empty: http:// and ORCHESTRATOR_BIND"
    )
    outbound_route: str = Field(
        "", description="how a phone number is dialled, e.g. sofia/gateway/carrier/{number}; empty: not at all"
    )
    sip_route: str = Field("sofia/internal/{address}", description="how a sip: address is dialled; empty: not at all")
    sip_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="hosts of sip: addresses that may be dialled, e.g. pbx.example.com,*.example.net; none: any"
    )
    nat_routes: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="routes whose far ends are behind NAT, of number, sip and client: their RTP is taken from whoever "
        "sends it first",
    )
    client_route: str = Field("", description="how client:name is dialled, with {name}; empty: not at all")
    allowed_private_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="networks that are not public and yet may be talked to, for callbacks, documents and audio, "
        "e.g. 10.1.0.0/16,fd12::/32",
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="networks of the proxies in front of API and console: they may have any number of connections, and "
        "are believed when they say who asks, e.g. 10.0.0.5/32",
    )
    callback_retry_seconds: Annotated[tuple[float, ...], NoDecode] = Field(
        Schedule().delays_seconds, description="pauses between attempts, separated by commas; the last is repeated"
    )
    callback_give_up_seconds: float = Field(
        Schedule().give_up_seconds,
        gt=0,
        le=6 * 86_400,
        description="how long after the event a callback becomes a dead letter",
    )
    orchestrator_media_url: str = Field(
        "", description="how FreeSWITCH nodes reach the API to fetch audio; empty: the public URL"
    )
    stock_music: str = Field(
        STOCK_MUSIC,
        description="what is heard on hold and while waiting unless a client says otherwise: anything endless that "
        "FreeSWITCH can play, e.g. local_stream://moh",
    )
    tts_command: str = Field(
        "espeak-ng --stdin --stdout -v {voice}",
        description="speaks <Say>: text in, WAV out; {voice} is espeak-ng's, {language} en-US, {gender} female or male",
    )
    media_megabytes: int = Field(
        512, ge=128, description="how much of Redis rendered audio may take; one account may have a quarter of it"
    )
    call_retention_days: float = Field(
        7, gt=0, le=366, description="how long a call that has ended stays readable, and counts for its account"
    )
    retention_days: float = Field(
        7, gt=0, le=366, description="how long a conference that is over, and its callbacks, stay readable"
    )
    detection_dir: str = Field("", pattern=_PATH, description="where FreeSWITCH writes audio for `orchestrator detect`")
    recordings_dir: str = Field(
        "/var/lib/orchestrator/recordings",
        description="where FreeSWITCH writes recordings and workers find them: one directory for all of them, "
        "on several machines a shared one; what is finished is kept there, too, unless there is a bucket",
    )
    recordings_bucket: str = Field("", description="a bucket in which finished recordings are kept")
    recordings_endpoint: str = Field("", description="where the bucket is, if that is not Amazon")
    recordings_key: str = Field(
        "", description="encrypts finished recordings: 32 bytes in base64; empty: not at all", repr=False
    )
    recordings_keep_days: int = Field(
        0, ge=0, le=36_500, description="after so many days recordings are deleted; 0: never"
    )
    health_bind: str = Field(
        "", description="where `listen`, `work` and `detect` answer /healthz and /readyz; empty: nowhere"
    )
    console_bind: str = Field("127.0.0.1:8081", description="where `orchestrator console` listens")
    console_token: str = Field(
        "",
        description="what operators log in with at the console, and Prometheus sends; empty: on loopback only",
        repr=False,
    )
    otel_exporter_otlp_endpoint: str = Field("", description="where traces go, over HTTP; empty: nowhere")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")

    @field_validator("freeswitch_nodes", mode="before")
    @classmethod
    def _parse_nodes(cls, value: object) -> object:
        return parse_nodes(value) if isinstance(value, str) else value

    @field_validator("allowed_private_networks", "trusted_proxies", mode="before")
    @classmethod
    def _parse_networks(cls, value: object) -> object:
        return parse_networks(value) if isinstance(value, str) else value

    @field_validator("sip_hosts", mode="before")
    @classmethod
    def _parse_hosts(cls, value: object) -> object:
        return parse_hosts(value) if isinstance(value, str) else value

    @field_validator("nat_routes", mode="before")
    @classmethod
    def _parse_nat(cls, value: object) -> object:
        return parse_routes(value) if isinstance(value, str) else value

    @field_validator("callback_retry_seconds", mode="before")
    @classmethod
    def _parse_retries(cls, value: object) -> object:
        return parse_delays(value) if isinstance(value, str) else value

    @field_validator("redis_url", "queue_redis_url")
    @classmethod
    def _check_redis(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name == "queue_redis_url":
            return value
        return check_redis_url(value)

    @field_validator("orchestrator_bind", "health_bind", "console_bind")
    @classmethod
    def _check_bind(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name == "health_bind":
            return value
        match = _BIND.fullmatch(value)
        if match is None or int(match["port"]) > 65535:
            raise ValueError(f"'{value}' is not host:port")
        return value

    @field_validator("outbound_route", "sip_route", "client_route")
    @classmethod
    def _check_route(cls, value: str, info: object) -> str:
        placeholder = {"outbound_route": "{number}", "sip_route": "{address}", "client_route": "{name}"}
        wanted = placeholder[str(getattr(info, "field_name", ""))]
        if value and (value.count(wanted) != 1 or re.search(r"[\s{}|]", value.replace(wanted, ""))):
            raise ValueError(f"needs {wanted} once, and no spaces, other braces or '|'")
        return value

    @field_validator("orchestrator_media_url")
    @classmethod
    def _check_media_url(cls, value: str) -> str:
        return check_media_url(value)

    @field_validator("stock_music")
    @classmethod
    def _check_music(cls, value: str) -> str:
        if not re.fullmatch(r"[!-~]+", value, re.ASCII) or re.search(r"[${}']|^say:", value):
            raise ValueError("has to be one word without $, braces and quotes, and no say:")
        return value

    @field_validator("tts_command")
    @classmethod
    def _check_tts(cls, value: str) -> str:
        return check_command(value)

    @field_validator("recordings_dir")
    @classmethod
    def _check_directory(cls, value: str) -> str:
        if not re.fullmatch(r"/[A-Za-z0-9._/-]+", value, re.ASCII):
            raise ValueError("has to be an absolute path of letters, digits and . _ -")
        return value.rstrip("/")

    @field_validator("recordings_key")
    @classmethod
    def _check_key(cls, value: str) -> str:
        if value:
            parse_key(value)
        return value

    @model_validator(mode="after")
    def _check_retention(self) -> Settings:
        """What waits for its receiver has to be found, too."""
        if self.retention_seconds < self.callback_give_up_seconds:
            raise ValueError("RETENTION_DAYS: has to be as long as CALLBACK_GIVE_UP_SECONDS at least")
        return self

    @model_validator(mode="after")
    def _check_rq(self) -> Settings:
        if is_cluster(self.rq_url):
            raise ValueError("QUEUE_REDIS_URL: has to name one Redis, or Sentinels: RQ knows no cluster")
        return self

    @model_validator(mode="after")
    def _check_console(self) -> Settings:
        host = self.console_bind.rpartition(":")[0].strip("[]")
        if self.console_token and len(self.console_token) < SHORTEST_TOKEN:
            raise ValueError(f"CONSOLE_TOKEN: needs {SHORTEST_TOKEN} characters (openssl rand -hex 24)")
        if not self.console_token and host not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("CONSOLE_TOKEN: is needed where CONSOLE_BIND is not loopback (openssl rand -hex 24)")
        return self

    @property
    def bind_host(self) -> str:
        """The API's listening address."""
        return self.orchestrator_bind.rpartition(":")[0]

    @property
    def bind_port(self) -> int:
        """The API's port; 0 lets the kernel choose."""
        return int(self.orchestrator_bind.rpartition(":")[2])

    @property
    def rq_url(self) -> str:
        """RQ's Redis."""
        return self.queue_redis_url or self.redis_url

    @property
    def public_url(self) -> str:
        """Base of absolute URLs, without a slash at its end."""
        return (self.orchestrator_public_url or f"http://{self.orchestrator_bind}").rstrip("/")

    @property
    def call_retention_seconds(self) -> int:
        """How long a call that has ended is kept."""
        return max(1, round(self.call_retention_days * 86_400))

    @property
    def retention_seconds(self) -> int:
        """How long a conference that is over is kept, and a callback that is done with."""
        return max(1, round(self.retention_days * 86_400))

    @property
    def media_url(self) -> str:
        """Base of the URLs at which switches fetch audio, without a slash at its end."""
        return self.orchestrator_media_url.rstrip("/") or self.public_url


def _from_files(named: set[str]) -> dict[str, str]:
    """Settings that are in files, as secrets of containers are: NAME_FILE instead of NAME. Raises SettingsError."""
    found: dict[str, str] = {}
    for name in Settings.model_fields:
        path = os.environ.get(f"{name.upper()}_FILE", "")
        if path and name.upper() not in named:
            try:
                found[name] = Path(path).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError([f"{name.upper()}_FILE: {path} cannot be read: {error}"]) from error
    return found


def load_settings() -> Settings:
    """Read the environment, and what it leaves open from the `up` that runs in this folder, so that a command typed
    beside it finds its Redis and its switch. Raises SettingsError naming each wrong variable."""
    named = {name.upper() for name in os.environ}
    beside = {name.lower(): value for name, value in running_settings().items() if name not in named}
    beside |= _from_files(named)
    try:
        return Settings(**beside)  # type: ignore[arg-type]  # texts, as the environment has them
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError(problems) from error
