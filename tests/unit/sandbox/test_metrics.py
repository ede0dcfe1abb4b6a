"""What the metric calls accept, refuse and answer."""

from __future__ import annotations

import re
from typing import Any

import pytest

NUMERIC = {"isNumeric": True, "unit": "USD", "successCriteria": "HigherThanBaseline"}
PERCENTILE = {**NUMERIC, "analysisType": "percentile", "percentileValue": 95}


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def test_a_created_metric_has_ids_a_version_links_and_the_defaults(call, time):
    answer = call.create(name="Orders", tags=["checkout"])
    metric = answer.json
    assert answer.status_code == 201
    assert re.fullmatch("[0-9a-f]{24}", metric["_id"])
    assert metric["_version"] == 1
    assert metric["_creationDate"] == time.now * 1000
    assert metric["lastModified"] == {"date": "2027-01-15T08:00:00.000Z"}
    assert metric["_links"]["self"] == {"href": "/api/v2/metrics/demo/orders", "type": "application/json"}
    assert (metric["unitAggregationType"], metric["analysisType"]) == ("average", "mean")
    assert metric["eventDefault"] == {"disabled": False, "value": 0}
    assert metric["analysisUnits"] == metric["randomizationUnits"] == ["user"]
    assert (metric["archived"], metric["activeExperimentCount"], metric["activeGuardedRolloutCount"]) == (False, 0, 0)
    assert call("GET", "/api/v2/metrics/demo/orders").json == metric


def test_a_metric_without_a_name_is_called_by_its_key(call):
    assert call.create().json["name"] == "orders"


def test_unknown_fields_are_silently_ignored(call):
    assert "colour" not in call.create(colour="red").json


def test_an_empty_string_says_the_same_as_an_absent_field(call):
    assert "unit" not in call.create(unit="", selector="", urls=[]).json


def test_counts_are_shown_only_when_expanded(call):
    metric = call.create().json
    assert "experimentCount" not in metric
    assert call("GET", "/api/v2/metrics/demo/orders?expand=experimentCount").json["experimentCount"] == 0


def test_percentile_metrics_have_their_event_default_disabled(call):
    assert call.create(**PERCENTILE).json["eventDefault"] == {"disabled": True, "value": 0}


def test_a_personal_token_maintains_what_it_creates_and_a_service_token_does_not(call):
    body = {"key": "a", "kind": "custom", "isNumeric": False, "eventKey": "A"}
    created = call("POST", "/api/v2/metrics/demo", body, token="api-person")
    assert created.json["maintainerId"] == "5f00000000000000000000aa"
    assert "maintainerId" not in call.create().json


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"key": None}, "key is required"),
        ({"key": "-orders"}, "key must start with a letter or digit"),
        ({"key": "orders total"}, "key must start with a letter or digit"),
        ({"key": 7}, "key must be a JSON string"),
        ({"kind": None}, "kind is required"),
        ({"kind": "view"}, "kind must be one of custom, pageview, click, trace"),
        ({"isNumeric": None}, "isNumeric is required for custom metrics"),
        ({"isNumeric": "yes"}, "isNumeric must be a JSON boolean"),
        ({"eventKey": ""}, "eventKey is required for custom metrics"),
        ({"isNumeric": True, "successCriteria": "HigherThanBaseline"}, "unit is required for numeric metrics"),
        ({"isNumeric": True, "unit": "USD"}, "successCriteria is required for numeric metrics"),
        ({"unit": "USD"}, "unit is for numeric metrics only"),
        ({"successCriteria": "Higher"}, "successCriteria must be one of"),
        ({"successCriteria": ""}, "successCriteria must be one of"),
        ({"unitAggregationType": "median"}, "unitAggregationType must be one of average, sum, count_distinct"),
        ({"unitAggregationType": "count_distinct"}, "unitAggregationField is required for count_distinct"),
        ({"analysisType": "median"}, "analysisType must be one of mean, percentile"),
        ({"percentileValue": 95}, "percentileValue is for percentile analysis only"),
        ({"analysisType": "percentile", "percentileValue": 95}, "percentile analysis is for numeric metrics only"),
        ({**NUMERIC, "analysisType": "percentile"}, "percentileValue is required for percentile analysis"),
        ({**PERCENTILE, "percentileValue": 101}, "percentileValue must be between 0 and 100"),
        ({**PERCENTILE, "percentileValue": 95.5}, "percentileValue must be a JSON integer"),
        ({**PERCENTILE, "eventDefault": {"disabled": False}}, "eventDefault is not supported for percentile analysis"),
        ({"eventDefault": {"disabled": "no"}}, "eventDefault.disabled must be a JSON boolean"),
        ({"eventDefault": {"value": "0"}}, "eventDefault.value must be a JSON number"),
        ({"tags": ["two words"]}, 'tag "two words" must be 1 to 64'),
        ({"tags": ["a" * 65]}, "must be 1 to 64"),
        ({"tags": "checkout"}, "tags must be a JSON list of strings"),
        ({"maintainerId": "someone"}, "maintainerId must be 24 hex characters"),
        ({"analysisUnits": ["account"]}, 'Randomization unit "account" not found in project settings [user]'),
        ({"randomizationUnits": ["account"]}, 'Randomization unit "account" not found in project settings [user]'),
        ({"kind": "click", "isNumeric": None}, "selector is required for click metrics"),
        ({"kind": "pageview", "isNumeric": None}, "urls is required for pageview metrics"),
        ({"kind": "trace"}, "traceQuery is required for trace metrics"),
        ({"kind": "trace", "traceQuery": "q", **NUMERIC}, "traceValueLocation is required for numeric trace metrics"),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_with_the_rule(call, fields, message):
    answer = call.create(**fields)
    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_request"
    assert message in answer.json["message"]
    assert answer.json["id"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_json_object_is_refused(call, body):
    answer = call("POST", "/api/v2/metrics/demo", data=body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_a_key_that_exists_is_a_conflict_even_with_the_same_body(call):
    call.create()
    answer = call.create()
    assert (answer.status_code, answer.json["code"]) == (409, "key_exists")


def test_the_same_key_is_free_in_another_project_and_after_a_deletion(call):
    first = call.create().json
    body = {"key": "orders", "kind": "custom", "isNumeric": False, "eventKey": "A"}
    assert call("POST", "/api/v2/metrics/other", body).status_code == 201
    assert call("DELETE", "/api/v2/metrics/demo/orders").status_code == 204
    assert call("GET", "/api/v2/metrics/demo/orders").status_code == 404
    assert call.create().json["_id"] != first["_id"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_metric_is_not_found(call, method):
    answer = call(method, "/api/v2/metrics/demo/nothing", [])
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_rename_keeps_the_key_and_counts_the_version_up(call, time):
    before = call.create(name="Orders").json
    time.now += 60
    answer = call.patch(replace("/name", "Purchases"), replace("/eventKey", "Purchase Completed"))
    after = answer.json
    assert answer.status_code == 200
    assert (after["key"], after["name"], after["eventKey"]) == ("orders", "Purchases", "Purchase Completed")
    assert (after["_id"], after["_version"]) == (before["_id"], 2)
    assert after["_versionId"] != before["_versionId"]
    assert after["lastModified"] == {"date": "2027-01-15T08:01:00.000Z"}


def test_a_patch_that_changes_nothing_makes_no_version(call):
    before = call.create().json
    assert call.patch(replace("/eventKey", "Order Completed")).json == before


def test_a_patch_may_come_with_a_comment(call):
    call.create()
    patch = {"comment": "renamed at the source", "patch": [replace("/name", "Purchases")]}
    assert call("PATCH", "/api/v2/metrics/demo/orders", patch).json["name"] == "Purchases"


def test_an_absent_field_can_be_replaced(call):
    call.create()
    assert call.patch(replace("/maintainerId", "5f00000000000000000000bb")).json["maintainerId"].endswith("bb")
    assert "maintainerId" not in call.patch(replace("/maintainerId", None)).json


@pytest.mark.parametrize("path", ["/analysisUnits", "/randomizationUnits"])
def test_either_name_of_the_analysis_units_sets_both(start, path):
    call = start(randomization_units=("user", "account"))
    call.create()
    metric = call.patch(replace(path, ["account"])).json
    assert metric["analysisUnits"] == metric["randomizationUnits"] == ["account"]


def test_archiving_is_dated_and_restoring_removes_the_date(call, time):
    call.create()
    time.now += 1
    archived = call.patch(replace("/archived", value=True)).json
    assert (archived["archived"], archived["archivedAt"]) == (True, time.now * 1000)
    restored = call.patch(replace("/archived", value=False)).json
    assert restored["archived"] is False
    assert "archivedAt" not in restored


def test_an_archived_metric_keeps_its_date_when_it_is_renamed(call, time):
    call.create()
    date = call.patch(replace("/archived", value=True)).json["archivedAt"]
    time.now += 60
    assert call.patch(replace("/name", "Purchases")).json["archivedAt"] == date


def test_a_metric_becomes_a_percentile_without_touching_its_event_default(call):
    call.create(**NUMERIC)
    metric = call.patch(replace("/analysisType", "percentile"), replace("/percentileValue", 95)).json
    assert (metric["percentileValue"], metric["eventDefault"]["disabled"]) == (95, True)


def test_a_test_of_the_version_guards_a_patch(call):
    call.create()
    guarded = [{"op": "test", "path": "/_version", "value": 1}, replace("/name", "Purchases")]
    assert call.patch(*guarded).status_code == 200
    assert call.patch(*guarded).status_code == 422


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/name", "value": "Purchases"},
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/tags/7", "value": "a"},
        {"op": "replace", "path": "/name/first", "value": "a"},
    ],
)
def test_a_patch_that_cannot_be_applied_is_unprocessable(call, operation):
    before = call.create().json
    answer = call.patch(operation)
    assert (answer.status_code, answer.json["code"]) == (422, "patch_failed")
    assert call("GET", "/api/v2/metrics/demo/orders").json == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"patch": "x"},
        "x",
        ["x"],
        [{"op": "rename", "path": "/name", "value": "a"}],
        [{"path": "/name", "value": "a"}],
        [{"op": "replace", "path": "/name"}],
        [{"op": "replace", "path": "name", "value": "a"}],
        [{"op": "replace", "path": "", "value": 7}],
    ],
)
def test_a_body_that_is_no_patch_is_refused(call, body):
    call.create()
    answer = call("PATCH", "/api/v2/metrics/demo/orders", body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("/key", "purchases", "key cannot be changed"),
        ("/kind", "click", "kind cannot be changed"),
        ("/_id", "5f", "_id cannot be changed"),
        ("/_version", 7, "_version cannot be changed"),
        ("/eventKey", "", "eventKey is required"),
        ("/isNumeric", True, "unit is required for numeric metrics"),
        ("/archived", "yes", "archived must be a JSON boolean"),
        ("/tags", ["two words"], "must be 1 to 64"),
        ("/analysisUnits", ["account"], "not found in project settings [user]"),
    ],
)
def test_a_patch_whose_result_breaks_a_rule_is_refused(call, path, value, message):
    call.create()
    answer = call.patch(replace(path, value))
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert message in answer.json["message"]


def test_replacing_an_immutable_field_by_itself_is_no_change(call):
    call.create()
    assert call.patch(replace("/kind", "custom")).status_code == 200
