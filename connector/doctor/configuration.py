"""Checks of what the operator decided: settings, tokens, addresses, rules, mappings, alerts."""

from __future__ import annotations

import difflib
import ipaddress
from dataclasses import fields
from importlib.util import find_spec
from urllib.parse import urlsplit

from connector import alerts
from connector.doctor.findings import Finding, failure, ok, warning
from connector.doctor.premises import Premises
from connector.installation import open_partners, open_rules
from connector.partners import MappingRefused
from connector.policy import PolicyError
from connector.settings import Settings, SettingsError
from connector.store.vault import Vault, VaultError
from connector.tracing import ENDPOINTS

LONG_WAIT = 8.0
"""Seconds: partners give up on an answer after five to thirty."""


def settings(premises: Premises) -> Finding:
    read = premises.read_settings
    if isinstance(read, SettingsError):
        return failure(" ".join(read.problems), "Correct them in the environment; docs/reference/settings.md has all.")
    return ok("Every setting has a value that can be.")


def unknown_settings(premises: Premises) -> Finding:
    known = {f"CONNECTOR_{each.name.upper()}" for each in fields(Settings)} - {"CONNECTOR_ENVIRONMENT_CONNECTION"}
    known |= {"CONNECTOR_PARTNER", "CONNECTOR_WEBHOOK_SECRET"}
    named = (name for name in premises.environment if name.startswith("CONNECTOR_"))
    unknown = sorted(name for name in named if name not in known and not name.startswith("CONNECTOR_TEST_"))
    if not unknown:
        return ok("No variable is misspelt.")
    hints = {name: difflib.get_close_matches(name, known, 1) for name in unknown}
    said = [f"{name} (did you mean {hint[0]}?)" if hint else name for name, hint in hints.items()]
    return warning(f"Nothing reads {', '.join(said)}.", "Correct the name, or unset it.")


def admin_token(premises: Premises) -> Finding:
    token = premises.settings.admin_token
    if token is None:
        return warning(
            "CONNECTOR_ADMIN_TOKEN is not set: nobody can use the API and the console.",
            "Make one with: openssl rand -base64 32",
        )
    if len(set(token)) < 10:
        return failure(
            f"CONNECTOR_ADMIN_TOKEN has only {len(set(token))} different characters: it can be guessed.",
            "Make another one with: openssl rand -base64 32",
        )
    return ok("The admin token is long and mixed.")


def base_url(premises: Premises) -> Finding:
    url = premises.settings.base_url
    parts = urlsplit(url)
    if is_private(parts.hostname or ""):
        return warning(
            f"CONNECTOR_BASE_URL is {url}: no partner on the internet reaches it.",
            "Set it to the public address of this service; on this machine alone it may stay.",
        )
    if parts.scheme != "https":
        return failure(
            f"CONNECTOR_BASE_URL is {url}: webhooks and set-up links would travel in the clear.",
            "Serve it by TLS and set CONNECTOR_BASE_URL to https://…",
        )
    return ok(f"Partners reach it at {url}.")


def metrics_guard(premises: Premises) -> Finding:
    host = urlsplit(premises.settings.base_url).hostname or ""
    if premises.settings.metrics_token is None and not is_private(host):
        return warning(
            "/metrics is open to everybody who reaches this service: it has no secrets, but tells how much you do.",
            "Set CONNECTOR_METRICS_TOKEN, or keep /metrics from the outside at the proxy.",
        )
    return ok("/metrics is for those who may see it.")


def encryption_keys(premises: Premises) -> Finding:
    given = premises.settings.encryption_keys
    if not given and not premises.key_file.exists():
        return warning(
            "There is no encryption key yet: the first start makes one.",
            "Back it up then, or set CONNECTOR_ENCRYPTION_KEYS; make a key with: connector keys generate",
        )
    try:
        Vault(premises.keys)
    except VaultError as error:
        return failure(str(error), "Put the right key there; without it stored keys and secrets are lost.")
    where = "CONNECTOR_ENCRYPTION_KEYS" if given else str(premises.key_file)
    return ok(f"{len(premises.keys)} usable, from {where}.")


def key_kept_apart(premises: Premises) -> Finding:
    if premises.settings.encryption_keys:
        return ok("The encryption key is not kept beside the data.")
    return warning(
        f"The encryption key is a file beside the data ({premises.key_file}): a copy of one is a copy of both.",
        "For production set CONNECTOR_ENCRYPTION_KEYS from your secret store.",
    )


def rules_file(premises: Premises) -> Finding:
    try:
        open_rules(premises.settings)
    except (PolicyError, OSError, UnicodeDecodeError) as error:
        return failure(f"The rules cannot be used: {error}", "Correct the file that CONNECTOR_RULES names.")
    path = premises.settings.rules
    return ok("There are no rules." if path is None else f"{path} can be used.")


def mapping_files(premises: Premises) -> Finding:
    try:
        open_partners(premises.settings)
    except (MappingRefused, OSError, UnicodeDecodeError) as error:
        return failure(
            f"A mapping file cannot be used: {error}",
            "Correct it; connector partners check shows what it makes of a body.",
        )
    where = premises.settings.mappings
    return ok("There are no mapping files." if where is None else f"Every file in {where} can be used.")


def alert_sinks(premises: Premises) -> Finding:
    try:
        sinks = alerts.configured(premises.settings)
    except SettingsError as error:
        return failure(str(error), "Make a secret with: openssl rand -base64 32, and put whsec_ before it.")
    if not sinks:
        return warning(
            "Alerts go nowhere but into the log.",
            "Set CONNECTOR_ALERT_WEBHOOK_URL, CONNECTOR_ALERT_SLACK_URL or CONNECTOR_ALERT_EMAIL_TO.",
        )
    return ok(f"Alerts go to: {', '.join(sinks)}.")


def answer_wait(premises: Premises) -> Finding:
    wait = premises.settings.respond_within
    if wait > LONG_WAIT:
        return warning(
            f"An answer waits up to {wait:g} seconds: some partners give up before that and send again.",
            "Set CONNECTOR_RESPOND_WITHIN to 2; what takes longer is answered 202 and done all the same.",
        )
    return ok(f"An answer waits {wait:g} seconds at most.")


def extras(premises: Premises) -> Finding:
    chosen = premises.settings
    needed = {
        "postgres": (not chosen.sqlite, "psycopg"),
        "celery": (chosen.broker_url is not None, "celery"),
        "otel": (any(premises.environment.get(name) for name in ENDPOINTS), "opentelemetry.sdk"),
    }
    missing = [extra for extra, (wanted, module) in needed.items() if wanted and not _installed(module)]
    if missing:
        return failure(
            f"The settings need the extra {', '.join(missing)}, which is not installed.",
            f"Run: pip install 'metric-connector[{','.join(missing)}]'",
        )
    return ok("All that the settings need is installed.")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package before the dot
        return False


def is_private(host: str) -> bool:
    """Whether only this machine or network reaches the host."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".test"))


CHECKS = (
    settings,
    unknown_settings,
    admin_token,
    base_url,
    metrics_guard,
    encryption_keys,
    key_kept_apart,
    rules_file,
    mapping_files,
    alert_sinks,
    answer_wait,
    extras,
)
