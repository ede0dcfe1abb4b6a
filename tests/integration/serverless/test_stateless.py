"""Without a database: LaunchDarkly is the memory, and nothing is answered with success that is not done."""

from __future__ import annotations

from typing import Any

import pytest

from connector import serverless
from connector.settings import SettingsError
from tests.integration.serverless.conftest import Function

ORDER: dict[str, Any] = {"id": "evt_1", "key": "order_completed", "name": "Order Completed", "description": "Paid."}
RENAMED = ORDER | {"key": "order_paid", "name": "Order Paid", "previous_key": "order_completed"}
GONE = {"id": "evt_1", "key": "order_paid"}
EARLY, LATER, LATEST = "2026-11-22T10:00:00Z", "2026-11-22T10:00:05.250Z", "2026-11-22T11:00:00Z"


def test_an_event_type_lives_from_its_definition_to_its_archive(function: Function) -> None:
    assert function.send("defined", ORDER, EARLY).status == 201
    function.calls()
    renamed = function.send("renamed", RENAMED, LATER)
    assert (renamed.status, renamed.outcomes, function.calls()) == (200, ["renamed"], ["GET", "PATCH"])
    metric = function.metrics()["order-completed"]
    assert (metric["name"], metric["eventKey"]) == ("Order Paid", "order_paid")
    assert function.send("archived", GONE, LATEST).outcomes == ["archived"]
    assert [(key, metric["archived"]) for key, metric in function.metrics().items()] == [("order-completed", True)]


def test_a_restored_event_type_has_its_metric_back(function: Function) -> None:
    for kind in ("defined", "archived", "restored"):
        answer = function.send(kind, ORDER)
    assert answer.outcomes == ["restored"]
    assert function.metrics()["order-completed"]["archived"] is False


def test_an_update_of_an_archived_event_type_does_not_restore_it(function: Function) -> None:
    for kind in ("defined", "archived"):
        function.send(kind, ORDER)
    assert function.send("updated", ORDER | {"description": "Paid in full."}).outcomes == ["updated"]
    assert function.metrics()["order-completed"]["archived"] is True


@pytest.mark.parametrize("at", [None, EARLY])
@pytest.mark.parametrize(("kind", "data"), [("defined", ORDER), ("renamed", RENAMED), ("archived", GONE)])
def test_a_duplicate_only_looks(function: Function, kind: str, data: dict[str, Any], at: str | None) -> None:
    function.send("defined", ORDER, at)
    function.send(kind, data, at)
    function.calls()
    duplicate = function.send(kind, data, at)
    assert (duplicate.status, duplicate.outcomes) == (200, ["unchanged"])
    assert set(function.calls()) == {"GET"}


def test_a_numeric_event_type_has_both_metrics_renamed(function: Function) -> None:
    value = {"property": "revenue", "type": "number", "unit": "USD"}
    assert function.send("defined", ORDER | {"value": value}).status == 201
    assert function.send("renamed", RENAMED).outcomes == ["renamed"]  # which does not state the value again
    assert {key: (metric["eventKey"], metric["name"]) for key, metric in function.metrics().items()} == {
        "order-completed": ("order_paid", "Order Paid"),
        "order-completed-average": ("order_paid", "Order Paid: revenue (average)"),
    }
    assert function.metrics()["order-completed-average"]["unit"] == "USD"


def test_a_value_that_is_taken_back_archives_its_metric(function: Function) -> None:
    function.send("defined", ORDER | {"value": {"property": "revenue", "type": "number"}})
    assert function.send("updated", ORDER | {"value": {"type": "none"}}).outcomes == ["archived"]
    assert {key: metric["archived"] for key, metric in function.metrics().items()} == {
        "order-completed": False,
        "order-completed-average": True,
    }


def test_a_rename_is_found_by_the_id_where_it_does_not_tell_the_key_before(function: Function) -> None:
    function.send("defined", ORDER)
    assert function.send("renamed", {"id": "evt_1", "key": "order_paid", "name": "Order Paid"}).outcomes == ["renamed"]
    assert list(function.metrics()) == ["order-completed"]


def test_an_event_type_without_an_id_is_found_by_its_keys(function: Function) -> None:
    function.send("defined", {"key": "signup", "name": "Signup"})
    function.send("renamed", {"key": "sign_up", "name": "Sign up", "previous_key": "signup"})
    assert [metric["eventKey"] for metric in function.metrics().values()] == ["sign_up"]


def test_an_older_change_that_comes_late_is_superseded(function: Function) -> None:
    function.send("defined", ORDER, EARLY)
    function.send("renamed", RENAMED, LATER)
    function.calls()
    assert function.send("defined", ORDER, EARLY).outcomes == ["superseded"]
    assert set(function.calls()) == {"GET"}
    assert function.metrics()["order-completed"]["eventKey"] == "order_paid"


def test_a_rename_that_comes_first_makes_the_metric_that_the_definition_would_have(function: Function) -> None:
    function.send("renamed", RENAMED, LATER)
    assert function.send("defined", ORDER, EARLY).outcomes == ["superseded"]
    assert {key: metric["eventKey"] for key, metric in function.metrics().items()} == {"order-completed": "order_paid"}


def test_what_a_person_edited_stays_unless_the_source_changes_that_field(function: Function) -> None:
    function.send("defined", ORDER | {"tags": ["checkout"]})
    function.sandbox.state.book("demo").edit(
        "order-completed", {"name": "Orders", "tags": ["standard", "mine"], "successCriteria": "LowerThanBaseline"}
    )
    function.send("updated", {"id": "evt_1", "key": "order_completed", "description": "Paid in full.", "tags": ["new"]})
    metric = function.metrics()["order-completed"]
    assert (metric["name"], metric["successCriteria"]) == ("Orders", "LowerThanBaseline")
    assert set(metric["tags"]) == {"standard", "mine", "new"}
    assert metric["description"].startswith("Paid in full.")


def test_a_metric_of_somebody_else_is_never_touched(function: Function) -> None:
    theirs = {"key": "theirs", "kind": "custom", "eventKey": "order_completed", "isNumeric": False, "name": "Theirs"}
    function.sandbox.state.book("demo").create(theirs)
    function.send("defined", ORDER)
    function.send("renamed", RENAMED)
    assert function.metrics()["theirs"]["eventKey"] == "order_completed"
    assert function.metrics()["order-completed"]["eventKey"] == "order_paid"


@pytest.mark.parametrize("kind", ["error-500", "error-503", "reset", "answer-lost", "garbage", "conflict"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_fault_is_answered_503_and_the_next_try_finishes_with_one_metric(
    function: Function, kind: str, method: str
) -> None:
    function.play(kind, method=method)
    failed = function.send("defined", ORDER)
    assert (failed.status, failed.headers["retry-after"]) == (503, "10")
    assert function.send("defined", ORDER).status in {200, 201}
    assert list(function.metrics()) == ["order-completed"]


def test_a_fault_between_two_metrics_is_mended_by_the_next_try(function: Function) -> None:
    function.send("defined", ORDER | {"value": {"property": "revenue", "type": "number"}}, EARLY)
    function.play("error-500", path="*/order-completed-average", method="PATCH")
    assert function.send("renamed", RENAMED, LATER).status == 503
    assert function.send("renamed", RENAMED, LATER).outcomes == ["renamed"]
    assert {metric["eventKey"] for metric in function.metrics().values()} == {"order_paid"}
    assert len(function.metrics()) == 2


@pytest.mark.parametrize("family", ["ip", "global", "route", "token"])
def test_a_rate_limit_is_answered_503_with_the_time_that_launchdarkly_names(function: Function, family: str) -> None:
    function.play(f"rate-limit-{family}", seconds=7.0)
    failed = function.send("defined", ORDER)
    assert failed.status == 503
    assert 6 <= int(failed.headers["retry-after"]) <= 9


def test_an_unreachable_launchdarkly_is_answered_503(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUNCHDARKLY_BASE_URL", "http://127.0.0.1:9")
    failed = function.send("defined", ORDER)
    assert (failed.status, failed.body["code"]) == (503, "launchdarkly_unreachable")


def test_a_key_that_a_person_has_to_mend_leaves_time_for_it(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAUNCHDARKLY_API_KEY", "api-revoked")
    failed = function.send("defined", ORDER)
    assert (failed.status, failed.headers["retry-after"]) == (503, "300")


def test_what_launchdarkly_refuses_for_ever_is_422_with_its_own_words(
    function: Function, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rules]]\nmatch = "*"\nanalysis_units = ["nobody"]\n')
    monkeypatch.setenv("CONNECTOR_RULES", str(rules))
    refused = function.send("defined", ORDER)
    assert (refused.status, refused.body["code"]) == (422, "launchdarkly_invalid")
    assert 'Randomization unit "nobody" not found' in refused.body["detail"]
    assert "retry-after" not in refused.headers


def test_a_catalogue_needs_a_database(function: Function) -> None:
    refused = function.send("catalogue", {"complete": True, "event_types": [ORDER]})
    assert (refused.status, refused.body["code"]) == (422, "database_needed")


def test_what_is_none_of_our_business_is_acknowledged(function: Function) -> None:
    answer = function.send("admired", ORDER)
    assert (answer.status, answer.outcomes, function.calls()) == (200, ["skipped"], [])


def test_an_environment_without_a_connection_says_what_to_set(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONNECTOR_WEBHOOK_SECRET")
    with pytest.raises(SettingsError, match="CONNECTOR_WEBHOOK_SECRET"):
        serverless.lambda_handler({}, None)


def test_a_sweep_has_nothing_to_do(function: Function) -> None:
    assert serverless.google_sweep(None) == "0 attempts\n"
