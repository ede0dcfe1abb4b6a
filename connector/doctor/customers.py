"""Checks of one connection: its key, project and rights at LaunchDarkly, its secret, its traffic.

They must never write anything, here or there.
"""

from __future__ import annotations

import base64
import binascii
from email.utils import parsedate_to_datetime
from itertools import islice

import requests

from connector.alerts.conditions import expiry_level
from connector.connections import WAITING
from connector.doctor.findings import Finding, Skipped, failure, ok, warning
from connector.doctor.premises import Customer
from connector.launchdarkly import (
    CredentialRefused,
    Forbidden,
    LaunchDarklyError,
    NotFound,
    check_api_key,
    check_oauth_token,
    expiry_of,
    least_privilege_policy,
)
from connector.policy import PolicyError, Rules
from connector.store import checkup, connections, endpoints
from connector.store.connections import ConnectionState

SKEW, TOO_MUCH_SKEW = 30.0, 240.0
"""Seconds between our clock and LaunchDarkly's: signatures are refused from five minutes on."""

SHORT = 16
"""Bytes below which a webhook secret can be guessed."""

QUIET = 30 * 86400.0
"""Seconds without a webhook that are worth a word."""


def state(customer: Customer) -> Finding:
    found = customer.connection
    if found.state is not ConnectionState.PAUSED:
        return ok("It is active.")
    if found.state_code == WAITING:
        return warning(
            "It waits for its customer's key.", f"Send a set-up link: connector connections setup-link {found.id}"
        )
    return failure(
        f"It is paused: {found.state_reason or 'no reason is known.'}",
        f"Mend the reason, then: connector connections resume {found.id}, or set-key with another key.",
    )


def key_kind(customer: Customer) -> Finding:
    try:
        (check_oauth_token if customer.connection.options.oauth else check_api_key)(customer.key)
    except CredentialRefused as refused:
        return failure(refused.sentence, _set_key(customer))
    return ok("It has the form of an API key." if not customer.connection.options.oauth else "It is an OAuth token.")


def launchdarkly(customer: Customer) -> Finding:
    url = customer.connection.base_url
    if isinstance(customer.greeting, requests.RequestException):
        return failure(
            f"{url} cannot be reached ({type(customer.greeting).__name__}).",
            "Check the base URL, DNS, proxy and firewall of this machine.",
        )
    status = customer.greeting.status_code
    if status not in {200, 401, 403, 429}:
        return failure(
            f"{url} answers HTTP {status}, and not as LaunchDarkly does.", "Check the base URL and the proxy."
        )
    return ok(f"{url} answers.")


def clock(customer: Customer) -> Finding:
    said = customer.reached.headers.get("Date", "")
    try:
        theirs = parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError):
        raise Skipped("LaunchDarkly does not tell its time.") from None
    skew = abs(customer.premises.clock() - theirs)
    if skew > SKEW:
        found = f"This machine's clock and LaunchDarkly's differ by {skew:.0f} seconds."
        fix = "Let NTP set this machine's clock: webhooks are refused as too old or too new."
        return failure(found, fix) if skew > TOO_MUCH_SKEW else warning(found, fix)
    return ok("This machine's clock and LaunchDarkly's agree.")


def key_accepted(customer: Customer) -> Finding:
    _ = customer.reached
    who = customer.asked_who
    if isinstance(who, LaunchDarklyError):
        return failure(str(who), _set_key(customer))
    return ok("LaunchDarkly accepts the key.")


def key_owner(customer: Customer) -> Finding:
    if customer.connection.options.oauth:
        return ok("It is a consent: it stands as long as the member who gave it.")
    if customer.identity.get("serviceToken") is False:
        return warning(
            "The key is a person's: it goes when that person leaves.",
            "Make a service token in LaunchDarkly; then set-key.",
        )
    return ok("The key does not depend on a person.")


def key_expiry(customer: Customer) -> Finding:
    if customer.connection.options.oauth:
        return ok("It is a consent: its tokens are renewed by themselves.")
    now = customer.premises.clock()
    expires_at = expiry_of(customer.identity, now=now)
    if expires_at is None:
        return ok("LaunchDarkly names no end of the key.")
    left = f"The key expires in {(expires_at - now) / 86400:.0f} days."
    return warning(left, _set_key(customer)) if expiry_level(expires_at, now) else ok(left)


def key_role(customer: Customer) -> Finding:
    """As far as LaunchDarkly tells: what a custom role allows shows only by trying."""
    scopes = customer.identity.get("scopes")
    if scopes == ["reader"]:
        return failure(
            "The key may read only.",
            f"Give its token this inline policy: {least_privilege_policy(customer.connection.project_key)}",
        )
    if isinstance(scopes, list) and "admin" in scopes:
        return warning(
            "The key may do anything in the account.",
            f"This inline policy is enough: {least_privilege_policy(customer.connection.project_key)}",
        )
    return ok("The key's role does not keep it from writing metrics.")


def project(customer: Customer) -> Finding:
    _ = customer.identity
    key = customer.connection.project_key
    try:
        customer.client.project(key)
    except (NotFound, Forbidden) as error:
        return failure(f"The key sees no project {key!r} ({error.code}).", str(error.advice))
    except LaunchDarklyError as error:
        raise Skipped(str(error)) from None
    return ok(f"The project {key!r} is there.")


def metrics(customer: Customer) -> Finding:
    _ = customer.identity
    try:
        list(islice(customer.client.list_metrics(customer.connection.project_key, page_size=1), 1))
    except (NotFound, Forbidden) as error:
        return failure(f"The key cannot read the project's metrics ({error.code}).", str(error.advice))
    except LaunchDarklyError as error:
        raise Skipped(str(error)) from None
    return ok("The project's metrics can be read.")


def analysis_units(customer: Customer) -> Finding:
    with customer.premises.database.read() as tx:
        refused = [
            reason for reason in checkup.parked_reasons(tx, customer.connection.id) if "Randomization unit" in reason
        ]
    if refused:
        return failure(
            f"LaunchDarkly refused the analysis units of {len(refused)} changes.",
            "Make the context kind available for experiments in LaunchDarkly's project settings, or give the "
            "connection units that are; then replay.",
        )
    units = customer.connection.options.analysis_units
    return ok(f"Units: {', '.join(units)}." if units else "LaunchDarkly's default unit.")


def maintainer(customer: Customer) -> Finding:
    if customer.connection.options.maintainer_id is None and customer.identity.get("serviceToken") is True:
        return warning(
            "Metrics get no maintainer, and LaunchDarkly shows them as incomplete.",
            "Give the connection a maintainer: the 24 hexadecimal digits of a member's id.",
        )
    return ok("Metrics get a maintainer.")


def webhook_secret(customer: Customer) -> Finding:
    premises, endpoint = customer.premises, customer.endpoint.id
    with premises.database.read() as tx:
        secrets = endpoints.secrets(tx, premises.vault, endpoint, now=premises.clock())
    if not secrets:
        return failure("The endpoint has no secret: every webhook is refused.", _rotate(customer))
    if weak := sum(_weak(secret) for secret in secrets):
        return failure(f"{weak} of {len(secrets)} webhook secrets can be guessed.", _rotate(customer))
    if len(secrets) > 1:
        return warning(
            f"{len(secrets)} secrets verify at the moment.",
            "See that the partner uses the new one before the old one ends.",
        )
    return ok("The webhook secret is long and mixed.")


def _weak(secret: str) -> bool:
    """Judged by its bytes, whatever it is written in; a public key guesses nothing."""
    if "BEGIN PUBLIC KEY" in secret or secret.startswith("whpk_"):
        return False
    bare = secret.removeprefix("whsec_")
    try:
        raw = base64.b64decode(bare, validate=True) if secret != bare else bare.encode()
    except (ValueError, binascii.Error):
        raw = bare.encode()
    return len(raw) < SHORT or len(set(raw)) < SHORT // 2


def traffic(customer: Customer) -> Finding:
    premises = customer.premises
    with premises.database.read() as tx:
        last = checkup.last_delivery(tx, customer.endpoint.id)
    url = f"{premises.settings.base_url}/webhooks/{customer.endpoint.id}"
    if last is None:
        return warning(
            "No webhook has come yet.", f"Enter {url} and its secret at the partner, then send a test from there."
        )
    if premises.clock() - last > QUIET:
        return warning(
            f"The last webhook came {(premises.clock() - last) / 86400:.0f} days ago.",
            f"See at the partner whether it still sends to {url}.",
        )
    return ok("Webhooks come.")


def list_api(customer: Customer) -> Finding:
    api = customer.partner.list_api
    if api is None:
        raise Skipped(f"{customer.partner.title} has no list API that we ask.")
    with customer.premises.database.read() as tx:
        given = connections.stored_source(tx, customer.connection.id) is not None
    if not given:
        names = " ".join(f"{field.name}=…" for field in api.credential)
        return warning(
            f"There is no credential for {customer.partner.title}'s list API: what webhooks leave out stays unknown.",
            f"Run: connector connections set-source {customer.connection.id} {names}",
        )
    return ok("The list API has its credential.")


def rules(customer: Customer) -> Finding:
    try:
        Rules.parse(customer.connection.options.rules or "", "the connection's rules")
    except PolicyError as error:
        return failure(f"Its rules cannot be used: {error}", "Correct them, and give them to the connection again.")
    return ok("Its rules can be used.")


def _set_key(customer: Customer) -> str:
    return f"Set another key: connector connections set-key {customer.connection.id}"


def _rotate(customer: Customer) -> str:
    return f"Make another: connector connections rotate-secret {customer.connection.id}"


CHECKS = (
    state,
    key_kind,
    launchdarkly,
    clock,
    key_accepted,
    key_owner,
    key_expiry,
    key_role,
    project,
    metrics,
    analysis_units,
    maintainer,
    webhook_secret,
    traffic,
    list_api,
    rules,
)
