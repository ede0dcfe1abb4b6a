"""The checks of a connection: each one is seen to fail where the very thing it looks for is broken."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from sqlalchemy import text

from connector.doctor import Finding, Verdict
from connector.doctor.customers import QUIET, SKEW, TOO_MUCH_SKEW
from connector.event_types import Outcome
from connector.store import connections, endpoints
from connector.store.connections import Connection, ConnectionState, Options
from connector.store.inbox import Settled
from tests.integration.doctor.conftest import MAINTAINER, Installed
from tests.integration.web.conftest import free_port

FAILURE, WARNING, OK, SKIPPED = Verdict.FAILURE, Verdict.WARNING, Verdict.OK, Verdict.SKIPPED
DONE = Settled(Outcome.CREATED)


def store_key(installed: Installed, connection: Connection, key: str) -> None:
    installed.database.write(lambda tx: connections.set_credential(tx, installed.vault, connection.id, key))


def verdicts(findings: list[Finding]) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in findings if finding.connection is not None}


def test_a_healthy_connection_has_nothing_to_mend(installed: Installed) -> None:
    installed.accept(installed.connect(), DONE)
    found = verdicts(installed.examined())
    assert len(found) == 16
    assert {name for name, verdict in found.items() if verdict is not OK} == {"list_api"}


def test_without_a_connection_it_says_how_to_add_one(installed: Installed) -> None:
    assert installed.said("connections").verdict is WARNING


def test_one_connection_may_be_named_by_name_or_id(installed: Installed) -> None:
    acme = installed.connect()
    installed.connect(name="Other")
    for wanted in ("Acme", acme.id):
        assert {finding.connection for finding in installed.examined(wanted)} == {None, "Acme"}
    assert {finding.connection for finding in installed.examined()} == {None, "Acme", "Other"}
    (missing,) = [finding for finding in installed.examined("Nobody") if finding.check == "connections"]
    assert missing.verdict is FAILURE


def test_a_connection_that_is_paused(installed: Installed) -> None:
    connection = installed.connect()
    pause = {"code": "launchdarkly_unauthorized", "reason": "LaunchDarkly answered HTTP 401."}
    installed.database.write(lambda tx: connections.set_state(tx, connection.id, ConnectionState.PAUSED, **pause))
    said = installed.said("state")
    assert (said.verdict, said.seen) == (FAILURE, "It is paused: LaunchDarkly answered HTTP 401.")


def test_a_connection_that_waits_for_its_key(installed: Installed) -> None:
    connection = installed.connect()
    installed.database.write(
        lambda tx: connections.set_state(tx, connection.id, ConnectionState.PAUSED, code="waiting_for_key")
    )
    store_key(installed, connection, "")
    found = verdicts(installed.examined())
    assert found["state"] is WARNING
    assert {found[check] for check in ("key_kind", "key_accepted", "key_role", "project", "metrics")} == {SKIPPED}
    assert found["launchdarkly"] is OK


@pytest.mark.parametrize("key", ["sdk-canary", "mob-canary", "canary", "api-canary with space"])
def test_a_key_of_another_kind(installed: Installed, key: str) -> None:
    store_key(installed, installed.connect(), key)
    findings = installed.examined()
    found = verdicts(findings)
    assert found["key_kind"] is FAILURE
    assert found["key_accepted"] is SKIPPED
    assert "canary" not in repr(findings)


def test_a_launchdarkly_that_is_not_there(installed: Installed) -> None:
    installed.connect(base_url=f"http://127.0.0.1:{free_port()}")
    found = verdicts(installed.examined())
    assert found["launchdarkly"] is FAILURE
    assert {found[check] for check in ("clock", "key_accepted", "key_role", "project", "metrics")} == {SKIPPED}


def test_an_address_that_is_not_launchdarkly_s(installed: Installed) -> None:
    installed.connect(base_url=f"{installed.launchdarkly}/sandbox")
    assert installed.said("launchdarkly").verdict is FAILURE


@pytest.mark.parametrize(("seconds", "verdict"), [(SKEW + 30, WARNING), (-TOO_MUCH_SKEW - 60, FAILURE)])
def test_a_clock_that_is_not_launchdarkly_s(installed: Installed, seconds: float, verdict: Verdict) -> None:
    installed.connect()
    assert installed.said("clock").verdict is OK
    installed.now += seconds
    assert installed.said("clock").verdict is verdict


def test_a_key_that_launchdarkly_does_not_know(installed: Installed) -> None:
    connection = installed.connect(credential="api-unknown-canary")
    findings = installed.examined()
    (said,) = [finding for finding in findings if finding.check == "key_accepted"]
    assert (said.verdict, said.fix) == (FAILURE, f"Set another key: connector connections set-key {connection.id}")
    assert verdicts(findings)["project"] is SKIPPED
    assert "canary" not in repr(findings)


def test_a_key_of_a_person(installed: Installed) -> None:
    installed.connect(credential="api-canary-person")
    assert installed.said("key_owner").verdict is WARNING


@pytest.mark.parametrize(("days", "verdict"), [(31, OK), (29, WARNING)])
def test_a_key_that_expires(installed: Installed, days: float, verdict: Verdict) -> None:
    connection = installed.connect()
    ends = {"api-canary": int((installed.now + days * 86400 + 60) * 1000)}
    requests.put(f"{installed.launchdarkly}/sandbox/expiries", json=ends, timeout=5).raise_for_status()
    try:
        said = installed.said("key_expiry")
    finally:
        requests.put(f"{installed.launchdarkly}/sandbox/expiries", json={}, timeout=5).raise_for_status()
    assert (said.verdict, said.seen) == (verdict, f"The key expires in {days} days.")
    assert said.fix == ("" if verdict is OK else f"Set another key: connector connections set-key {connection.id}")


def test_a_key_without_an_end(installed: Installed) -> None:
    installed.connect()
    assert installed.said("key_expiry").seen == "LaunchDarkly names no end of the key."


def test_a_key_that_may_only_read(installed: Installed) -> None:
    installed.connect(credential="api-canary-reader")
    said = installed.said("key_role")
    assert said.verdict is FAILURE
    assert '"proj/demo:metric/*"' in said.fix


def test_a_key_that_may_do_anything(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = {"scopes": ["admin"], "serviceToken": True}
    monkeypatch.setattr("connector.launchdarkly.LaunchDarkly.caller_identity", lambda _self: identity)
    installed.connect()
    assert installed.said("key_role").verdict is WARNING


@pytest.mark.parametrize("fields", [{"project_key": "other"}, {"credential": "api-canary-elsewhere"}])
def test_a_project_that_the_key_does_not_see(installed: Installed, fields: dict[str, Any]) -> None:
    installed.connect(**fields)
    found = verdicts(installed.examined())
    assert (found["project"], found["metrics"]) == (FAILURE, FAILURE)


def test_units_that_launchdarkly_refuses(installed: Installed) -> None:
    connection = installed.connect(options=Options(maintainer_id=MAINTAINER, analysis_units=("nobody",)))
    assert installed.said("analysis_units").seen == "Units: nobody."
    reason = 'LaunchDarkly says: "Randomization unit "nobody" not found in project settings [user]"'
    installed.accept(connection, Settled(Outcome.PARKED, result={"reason": reason}))
    assert installed.said("analysis_units").verdict is FAILURE


def test_metrics_without_a_maintainer(installed: Installed) -> None:
    installed.connect(options=Options())
    assert installed.said("maintainer").verdict is WARNING


@pytest.mark.parametrize("secret", ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_Zm9v", "password", "a" * 64])
def test_a_secret_that_can_be_guessed(installed: Installed, secret: str) -> None:
    connection = installed.connect()
    installed.database.write(
        lambda tx: endpoints.add_secret(tx, installed.vault, connection.endpoint_id, secret, now=installed.now)
    )
    said = installed.said("webhook_secret")
    assert said.verdict is FAILURE
    assert secret not in repr(said)


def test_an_endpoint_without_a_secret(installed: Installed) -> None:
    installed.connect()
    with installed.database.engine.begin() as tx:
        tx.execute(text("DELETE FROM endpoint_secrets"))
    assert installed.said("webhook_secret").verdict is FAILURE


def test_two_secrets_while_one_takes_over(installed: Installed) -> None:
    connection = installed.connect()
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    installed.database.write(
        lambda tx: endpoints.add_secret(
            tx, installed.vault, connection.endpoint_id, secret, now=installed.now, overlap=3600.0
        )
    )
    assert installed.said("webhook_secret").verdict is WARNING
    installed.now += 3700
    assert installed.said("webhook_secret").verdict is OK


def test_an_endpoint_that_nobody_sends_to(installed: Installed) -> None:
    connection = installed.connect()
    assert connection.endpoint_id in installed.said("traffic").fix
    installed.accept(connection, DONE)
    assert installed.said("traffic").verdict is OK
    installed.now += QUIET + 86400
    assert installed.said("traffic").verdict is WARNING


def test_a_list_api_without_its_credential(installed: Installed) -> None:
    connection = installed.connect(partner="posthog")
    assert installed.said("list_api").verdict is WARNING
    installed.database.write(lambda tx: connections.set_source(tx, installed.vault, connection.id, {"token": "canary"}))
    assert installed.said("list_api").verdict is OK


def test_rules_of_its_own_that_cannot_be_used(installed: Installed) -> None:
    installed.connect()
    with installed.database.engine.begin() as tx:
        stored = tx.execute(text("SELECT options FROM connections")).scalar_one()
        broken = stored.replace('"rules": null', '"rules": "[[rules]"')
        assert broken != stored
        tx.execute(text("UPDATE connections SET options = :options"), {"options": broken})
    assert installed.said("rules").verdict is FAILURE


def test_a_key_that_cannot_be_opened_skips_what_needs_it(installed: Installed) -> None:
    connection = installed.connect()
    with installed.database.engine.begin() as tx:
        tx.execute(text("UPDATE connections SET credential = x'00'"))
    found = verdicts(installed.examined(connection.id))
    assert {found[check] for check in ("key_kind", "key_accepted", "project")} == {SKIPPED}
    assert installed.said("stored_secrets").verdict is FAILURE


def test_a_partner_whose_mapping_is_gone(installed: Installed) -> None:
    installed.connect()
    with installed.database.engine.begin() as tx:
        tx.execute(text("UPDATE endpoints SET partner = 'gone'"))
    assert installed.said("list_api").verdict is SKIPPED
