"""The environment becomes `Settings`, or a list of every wrong value at once.

It knows names and shapes only: whether a key opens LaunchDarkly or a partner exists is judged by the rooms that know.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

MAX_BODY = 256 * 1024
LOG_FORMATS = ("text", "json")
_PREFIX = "CONNECTOR_"


class SettingsError(Exception):
    """One or more settings are wrong; `problems` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class EnvironmentConnection:
    """A connection that lives in the environment: served as endpoint and connection `default`."""

    partner: str
    webhook_secret: str = field(repr=False)
    api_key: str = field(repr=False)
    project_key: str
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decided. Times are seconds, sizes bytes."""

    database_url: str = field(default="sqlite:///instance/connector.db", repr=False)
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    admin_token: str | None = field(default=None, repr=False)
    base_url: str = "http://127.0.0.1:8000"
    broker_url: str | None = field(default=None, repr=False)
    broker_queue: str = "connector"
    take_over_after: float = 30.0
    respond_within: float = 2.0
    max_body: int = MAX_BODY
    rules: Path | None = None
    mappings: Path | None = None
    log_format: str = "text"
    product: str = "metrics"
    title: str | None = None
    oauth_client_id: str | None = None
    oauth_client_secret: str | None = field(default=None, repr=False)
    endpoint_rate: float = 1000.0
    cache_seconds: float = 1.0
    threads: int = 16
    workers: int = 1
    metrics_token: str | None = field(default=None, repr=False)
    alert_webhook_url: str | None = field(default=None, repr=False)
    alert_webhook_secret: str | None = field(default=None, repr=False)
    alert_slack_url: str | None = field(default=None, repr=False)
    alert_email_to: str | None = None
    smtp_url: str | None = field(default=None, repr=False)
    alert_backlog: float = 300.0
    environment_connection: EnvironmentConnection | None = None

    @property
    def sqlite(self) -> bool:
        return self.database_url.startswith("sqlite:")

    @property
    def instance(self) -> Path:
        """The directory for what belongs to this installation: SQLite's own, else `instance/`."""
        if self.sqlite and (path := self.database_url.removeprefix("sqlite:///")) not in {"", ":memory:"}:
            return Path(path).parent
        return Path("instance")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read `CONNECTOR_*` (and the `default` connection's `LAUNCHDARKLY_*`).

        Raises `SettingsError` that names every wrong value. An empty variable counts as unset.
        """
        named = os.environ if environment is None else environment
        given = {name: value for name, value in named.items() if value.strip()}
        reader = _Reader(given, blank=named.keys() - given.keys())
        settings = cls(
            database_url=reader.database_url("DATABASE_URL", cls().database_url),
            encryption_keys=tuple(key.strip() for key in reader.text("ENCRYPTION_KEYS", "").split(",") if key.strip()),
            admin_token=reader.admin_token("ADMIN_TOKEN"),
            base_url=reader.url("BASE_URL", cls().base_url),
            broker_url=reader.broker_url("BROKER_URL"),
            broker_queue=reader.word("BROKER_QUEUE", cls().broker_queue),
            take_over_after=reader.number("TAKE_OVER_AFTER", cls().take_over_after, low=2, high=300, unit="seconds"),
            respond_within=reader.number("RESPOND_WITHIN", 2.0, low=0, high=60, unit="seconds"),
            max_body=int(reader.number("MAX_BODY", MAX_BODY, low=1024, high=64 * 1024 * 1024, unit="bytes")),
            rules=reader.file("RULES"),
            mappings=reader.directory("MAPPINGS"),
            log_format=reader.choice("LOG_FORMAT", "text", LOG_FORMATS),
            product=reader.product("PRODUCT", "metrics"),
            title=reader.optional("TITLE"),
            oauth_client_id=reader.optional("OAUTH_CLIENT_ID"),
            oauth_client_secret=reader.optional("OAUTH_CLIENT_SECRET"),
            endpoint_rate=reader.number("ENDPOINT_RATE", 1000.0, low=0.1, high=1e6, unit="requests per second"),
            cache_seconds=reader.number("CACHE_SECONDS", 1.0, low=0, high=60, unit="seconds"),
            threads=int(reader.number("THREADS", 16, low=2, high=512, unit="threads")),
            workers=int(reader.number("WORKERS", 1, low=1, high=64, unit="processes")),
            metrics_token=reader.bearer("METRICS_TOKEN"),
            alert_webhook_url=reader.sink("ALERT_WEBHOOK_URL", ("http", "https")),
            alert_webhook_secret=reader.optional("ALERT_WEBHOOK_SECRET"),
            alert_slack_url=reader.sink("ALERT_SLACK_URL", ("http", "https")),
            alert_email_to=reader.optional("ALERT_EMAIL_TO"),
            smtp_url=reader.sink("SMTP_URL", ("smtp", "smtps")),
            alert_backlog=reader.number("ALERT_BACKLOG", 300.0, low=1, high=30 * 86400, unit="seconds"),
            environment_connection=reader.environment_connection(),
        )
        if settings.broker_url is not None and settings.sqlite:
            reader.problems.append(
                "CONNECTOR_BROKER_URL needs PostgreSQL, SQLite is for one machine: set CONNECTOR_DATABASE_URL to "
                "postgresql+psycopg://…, or unset CONNECTOR_BROKER_URL."
            )
        reader.pair("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET")
        if settings.oauth_client_id is not None and reader.optional("BASE_URL") is None:
            reader.problems.append(
                "CONNECTOR_OAUTH_CLIENT_ID needs CONNECTOR_BASE_URL: LaunchDarkly sends customers back to that address."
            )
        reader.pair("ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET")
        reader.pair("ALERT_EMAIL_TO", "SMTP_URL")
        if reader.problems:
            raise SettingsError(reader.problems)
        return settings


class _Reader:
    """Reads one variable after the other and keeps every problem, so that a person mends them all in one go."""

    def __init__(self, given: Mapping[str, str], *, blank: Collection[str]) -> None:
        self.given = given
        self.blank = blank
        self.problems: list[str] = []

    def optional(self, name: str) -> str | None:
        value = self.given.get(_PREFIX + name)
        return None if value is None else value.strip()

    def text(self, name: str, default: str) -> str:
        return self.optional(name) or default

    def number(self, name: str, default: float, *, low: float, high: float, unit: str) -> float:
        value = self.optional(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            self._wrong(name, f"must be a number of {unit} from {low:.10g} to {high:.10g}, not {value!r}")
            return default
        return number

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self._wrong(name, f"must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default).rstrip("/")
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:  # brackets or a port that are none
            usable = False
        if not usable or "?" in value or "#" in value:
            self._wrong(name, f"must be the public http(s) address of this service, such as {default}, not {value!r}")
        return value

    def database_url(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if value.startswith(("postgres://", "postgresql://")):
            value = "postgresql+psycopg://" + value.split("://", 1)[1]
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            # The value may hold a password, so it is not repeated.
            self._wrong(name, "must start with sqlite:/// or postgresql+psycopg://")
        return value

    def broker_url(self, name: str) -> str | None:
        value = self.optional(name)
        if value is not None and not value.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
            # The value may hold a password, so it is not repeated.
            self._wrong(name, "must start with redis://, rediss://, amqp:// or amqps://")
        return value

    def word(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", value):
            self._wrong(name, f"has up to 100 letters, digits, '.', '_' and '-' only, not {value!r}")
        return value

    def file(self, name: str) -> Path | None:
        value = self.optional(name)
        if value is None:
            return None
        path = Path(value)
        if not path.is_file():
            self._wrong(name, f"names the file {value!r}, which does not exist or is not a file")
        return path

    def directory(self, name: str) -> Path | None:
        value = self.optional(name)
        if value is None:
            return None
        path = Path(value)
        if not path.is_dir():
            self._wrong(name, f"names {value!r}, which is not a directory (of mapping files, *.toml)")
        return path

    def product(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not re.fullmatch(r"[A-Za-z0-9_.]+", value):
            self._wrong(name, f"goes into the User-Agent: letters, digits, '.' and '_' only, not {value!r}")
        return value

    def admin_token(self, name: str) -> str | None:
        value = self.optional(name)
        if value is not None and len(value) < 24:
            self._wrong(name, "must have at least 24 characters; make one with: openssl rand -base64 32")
        return value

    def bearer(self, name: str) -> str | None:
        value = self.admin_token(name)
        if value is not None and not re.fullmatch(r"[!-~]+", value):
            self._wrong(name, "goes into an Authorization header: printable ASCII without white space only")
        return value

    def sink(self, name: str, schemes: tuple[str, ...]) -> str | None:
        value = self.optional(name)
        try:
            parts = urlsplit(value or "")
            usable = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if value is not None and not usable:
            # The value may be or hold a secret, so it is not repeated.
            self._wrong(name, f"must be a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    def pair(self, one: str, other: str) -> None:
        for name, needed in ((one, other), (other, one)):
            if self.optional(name) is not None and self.optional(needed) is None:
                self._wrong(name, f"is of no use without {_PREFIX}{needed}: set both or neither")

    def environment_connection(self) -> EnvironmentConnection | None:
        parts = {
            "CONNECTOR_WEBHOOK_SECRET": self.given.get("CONNECTOR_WEBHOOK_SECRET"),
            "LAUNCHDARKLY_API_KEY": self.given.get("LAUNCHDARKLY_API_KEY"),
            "LAUNCHDARKLY_PROJECT_KEY": self.given.get("LAUNCHDARKLY_PROJECT_KEY"),
        }
        if parts["CONNECTOR_WEBHOOK_SECRET"] is None and "CONNECTOR_PARTNER" not in self.given:
            # Elsewhere a blank counts as unset; beside the other two it is a secret that somebody forgot to fill in.
            if "CONNECTOR_WEBHOOK_SECRET" in self.blank and None not in list(parts.values())[1:]:
                self._wrong("WEBHOOK_SECRET", "is empty: set the webhook secret, or unset it")
            return None  # LAUNCHDARKLY_* alone are what many machines have set for other tools
        missing = [name for name, value in parts.items() if value is None]
        if missing:
            self.problems.append(
                f"The connection of the environment is not complete: set {', '.join(missing)} too, "
                "or unset CONNECTOR_PARTNER and CONNECTOR_WEBHOOK_SECRET."
            )
            return None
        base_url = self.given.get("LAUNCHDARKLY_BASE_URL")
        return EnvironmentConnection(
            partner=self.text("PARTNER", "standard"),
            webhook_secret=str(parts["CONNECTOR_WEBHOOK_SECRET"]).strip(),
            api_key=str(parts["LAUNCHDARKLY_API_KEY"]).strip(),
            project_key=str(parts["LAUNCHDARKLY_PROJECT_KEY"]).strip(),
            base_url=None if base_url is None else base_url.strip(),
        )

    def _wrong(self, name: str, sentence: str) -> None:
        self.problems.append(f"{_PREFIX}{name} {sentence}.")
