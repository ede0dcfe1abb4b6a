"""Filters, order and pages of the metric list."""

from __future__ import annotations

import pytest


@pytest.fixture
def listed(call):
    """Calls the list of three metrics and returns their keys in order."""
    call.create("b-orders", name="Orders", tags=["checkout", "web"], maintainerId="5f00000000000000000000aa")
    call.create("c-revenue", name="Revenue", eventKey="Paid", isNumeric=True, unit="USD", unitAggregationType="sum",
                successCriteria="HigherThanBaseline", tags=["checkout"])  # fmt: skip
    page = {"kind": "pageview", "isNumeric": None, "eventKey": None, "urls": [{"kind": "exact", "url": "https://a.b"}]}
    call.create("a-home", name="home page", **page)

    def keys(**query):
        return [item["key"] for item in call("GET", "/api/v2/metrics/demo", query_string=query).json["items"]]

    return keys


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("createdAt", ["b-orders", "c-revenue", "a-home"]),
        ("-createdAt", ["a-home", "c-revenue", "b-orders"]),
        ("name", ["b-orders", "c-revenue", "a-home"]),
        ("-name", ["a-home", "c-revenue", "b-orders"]),
    ],
)
def test_the_list_is_ordered(listed, sort, keys):
    assert listed(sort=sort) == keys


@pytest.mark.parametrize(
    ("filter_", "keys"),
    [
        ('eventKeys anyOf ["Paid","Unheard"]', ["c-revenue"]),
        ('tags contains ["checkout","web"]', ["b-orders"]),
        ('tags contains ["checkout"]', ["b-orders", "c-revenue"]),
        ('query equals "ORD"', ["b-orders"]),
        ('query equals ["ord","home"]', ["b-orders", "a-home"]),
        ('eventKind equals "pageview"', ["a-home"]),
        ("isNumeric equals true", ["c-revenue"]),
        ("isNumeric equals false", ["b-orders", "a-home"]),
        ('maintainerIds anyOf ["5f00000000000000000000aa"]', ["b-orders"]),
        ('unitAggregationType equals "sum"', ["c-revenue"]),
        ('dataSourceKeys anyOf ["launchdarkly-hosted"]', ["b-orders", "c-revenue", "a-home"]),
        ('dataSourceKeys notEquals ["launchdarkly-hosted"]', []),
        ("hasConnections equals true", []),
        ('metricUsedIn equals "none"', ["b-orders", "c-revenue", "a-home"]),
        ('maintainerTeamKey equals "growth"', []),
        ('view equals "mobile"', []),
        ('versionIds anyOf ["unheard"]', []),
        ('eventKind equals "custom", isNumeric equals false', ["b-orders"]),
        ('query equals "a, b"', []),
    ],
)
def test_the_list_is_filtered(listed, filter_, keys):
    assert listed(filter=filter_) == keys


@pytest.mark.parametrize(
    ("counts", "places"),
    [
        ({"activeExperimentCount": 1}, {"experiments", "any"}),
        ({"experimentCount": 1}, {"experiments", "any"}),
        ({"activeGuardedRolloutCount": 1}, {"guarded_rollouts", "any"}),
    ],
)
def test_the_list_is_filtered_by_use(call, listed, counts, places):
    call("PATCH", "/sandbox/metrics/demo/b-orders", counts)
    for place in ("experiments", "guarded_rollouts", "any"):
        assert listed(filter=f'metricUsedIn equals "{place}"') == (["b-orders"] if place in places else [])
    assert listed(filter="hasConnections equals true") == ["b-orders"]


def test_archived_metrics_are_listed(call, listed):
    call("PATCH", "/api/v2/metrics/demo/b-orders", [{"op": "replace", "path": "/archived", "value": True}])
    assert "b-orders" in listed()


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "eventKeys"},
        {"filter": 'eventKeys equals "a"'},
        {"filter": 'colour equals "red"'},
        {"filter": "eventKind equals custom"},
        {"filter": "eventKeys anyOf []"},
        {"filter": "eventKeys anyOf [[]]"},
        {"filter": 'eventKind equals "custom" isNumeric equals true'},
        {"sort": "key"},
        {"limit": "51"},
        {"limit": "0"},
        {"limit": "many"},
        {"offset": "-1"},
    ],
)
def test_a_query_that_is_not_understood_is_refused(call, query):
    answer = call("GET", "/api/v2/metrics/demo", query_string=query)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_a_list_has_twenty_items_unless_told_otherwise(call):
    for number in range(21):
        call.create(f"m-{number:02}")
    answer = call("GET", "/api/v2/metrics/demo").json
    assert (len(answer["items"]), answer["totalCount"]) == (20, 21)


def test_the_links_of_a_page_lead_to_every_metric_once(call):
    keys = [f"m-{number}" for number in range(5)]
    for key in keys:
        call.create(key, tags=["a b".replace(" ", "-")])
    path = '/api/v2/metrics/demo?limit=2&sort=-createdAt&filter=tags contains ["a-b"]'
    seen = []
    while path:
        page = call("GET", path).json
        seen += [item["key"] for item in page["items"]]
        path = page["_links"].get("next", {}).get("href")
    assert seen == keys[::-1]
    assert call("GET", page["_links"]["last"]["href"]).json["items"] == page["items"]
    assert len(call("GET", page["_links"]["prev"]["href"]).json["items"]) == 2
    assert "prev" not in call("GET", page["_links"]["first"]["href"]).json["_links"]


def test_items_are_expanded_on_demand(call):
    call.create()
    assert "experimentCount" not in call("GET", "/api/v2/metrics/demo").json["items"][0]
    assert call("GET", "/api/v2/metrics/demo?expand=experimentCount").json["items"][0]["experimentCount"] == 0
