from __future__ import annotations

import json
from typing import Any

import pytest
import responses
from launchdarkly_api.models.caller_identity_rep import CallerIdentityRep
from launchdarkly_api.models.metric_collection_rep import MetricCollectionRep
from launchdarkly_api.models.metric_post import MetricPost
from launchdarkly_api.models.metric_rep import MetricRep
from responses import matchers

from connector.launchdarkly.client import Call, LaunchDarkly
from connector.launchdarkly.credentials import CredentialRefused
from connector.launchdarkly.errors import (
    AnswerLost,
    ArchiveNotApplied,
    Forbidden,
    Invalid,
    KeyExists,
    NotFound,
    RateLimited,
    UnexpectedAnswer,
)
from connector.launchdarkly.limits import Limit

API = "https://app.launchdarkly.com/api/v2"
METRICS = f"{API}/metrics/shop"
AGENT = "metrics-acme-int/1.0"
TOKEN = "api-7b2e90c1-secret"
BODY = {"key": "signup", "kind": "custom", "name": "Signup", "eventKey": "Signup", "isNumeric": False}


def metric(key: str = "signup", **changed: Any) -> dict[str, Any]:
    """A metric as LaunchDarkly answers it, vouched for by LaunchDarkly's own model."""
    answer = {
        "_id": "5902deadbeef667524a01290",
        "_versionId": "v1",
        "key": key,
        "name": "Signup",
        "kind": "custom",
        "tags": [],
        "_creationDate": 1795341600000,
        "_links": {"self": {"href": f"/api/v2/metrics/shop/{key}", "type": "application/json"}},
        "dataSource": {"key": "launchdarkly-hosted"},
        "eventKey": "Signup",
        "isNumeric": False,
        "archived": False,
    } | changed
    MetricRep.from_dict(answer)
    return answer


def test_create_posts_the_body_and_returns_the_metric(client: LaunchDarkly) -> None:
    MetricPost.from_dict(BODY)
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.post(
            METRICS,
            status=201,
            json=metric(),
            match=[
                matchers.json_params_matcher(BODY),
                matchers.header_matcher(
                    {
                        "Authorization": TOKEN,
                        "User-Agent": AGENT,
                        "Content-Type": "application/json",
                        "LD-API-Version": "20240415",
                    }
                ),
            ],
        )
        assert client.create_metric("shop", BODY) == metric()


def test_an_oauth_token_goes_as_bearer() -> None:
    client = LaunchDarkly("eyJhbGciOi.J9", user_agent=AGENT, oauth=True)
    with responses.RequestsMock() as launchdarkly:
        bearer = matchers.header_matcher({"Authorization": "Bearer eyJhbGciOi.J9"})
        launchdarkly.get(METRICS + "/signup", json=metric(), match=[bearer])
        assert client.get_metric("shop", "signup")["key"] == "signup"


def test_a_token_or_base_url_that_cannot_work_never_makes_a_client() -> None:
    with pytest.raises(CredentialRefused):
        LaunchDarkly("sdk-1", user_agent=AGENT)
    with pytest.raises(CredentialRefused):
        LaunchDarkly(TOKEN, user_agent=AGENT, base_url="http://app.launchdarkly.com")
    with pytest.raises(ValueError, match="printable ASCII"):
        LaunchDarkly(TOKEN, user_agent="a\r\nX-Injected: 1")


def test_get_asks_for_what_to_expand(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        wanted = matchers.query_param_matcher({"expand": "experiments,metricGroups"})
        launchdarkly.get(METRICS + "/signup", json=metric(), match=[wanted])
        assert client.get_metric("shop", "signup", expand=["experiments", "metricGroups"]) == metric()


def test_keys_are_quoted_into_one_path_segment(client: LaunchDarkly, calls: list[Call]) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.get(f"{API}/metrics/a%2Fb/c%3Fd%23e%20%C3%A9", json=metric())
        client.get_metric("a/b", "c?d#e \N{LATIN SMALL LETTER E WITH ACUTE}")
    assert calls[0].path == "/api/v2/metrics/a%2Fb/c%3Fd%23e%20%C3%A9"


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_a_key_that_would_fold_into_another_path_is_never_sent(client: LaunchDarkly, key: str) -> None:
    with responses.RequestsMock(), pytest.raises(Invalid):
        client.delete_metric("shop", key)
    with responses.RequestsMock(), pytest.raises(Invalid):
        client.create_metric(key, BODY)


def test_a_body_that_json_cannot_carry_is_never_sent(client: LaunchDarkly) -> None:
    with responses.RequestsMock(), pytest.raises(Invalid):
        client.create_metric("shop", {"eventDefault": {"value": float("nan")}})


@pytest.mark.parametrize(
    ("comment", "payload"),
    [
        (None, [{"op": "replace", "path": "/name", "value": "Sign-up"}]),
        ("renamed", {"comment": "renamed", "patch": [{"op": "replace", "path": "/name", "value": "Sign-up"}]}),
    ],
)
def test_patch_sends_a_bare_array_or_one_with_a_comment(
    client: LaunchDarkly, comment: str | None, payload: Any
) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.patch(
            METRICS + "/signup", json=metric(name="Sign-up"), match=[matchers.json_params_matcher(payload)]
        )
        operations = [{"op": "replace", "path": "/name", "value": "Sign-up"}]
        assert client.patch_metric("shop", "signup", operations, comment)["name"] == "Sign-up"


def test_archive_and_restore_read_the_answer_back(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.patch(METRICS + "/signup", json=metric(archived=True))
        assert client.archive_metric("shop", "signup", "gone at the source")["archived"] is True
        sent = json.loads(launchdarkly.calls[0].request.body or "")
        assert sent["patch"] == [{"op": "replace", "path": "/archived", "value": True}]
        launchdarkly.patch(METRICS + "/signup", json=metric(archived=False))
        assert client.restore_metric("shop", "signup")["archived"] is False


def test_an_archive_that_launchdarkly_ignored_is_an_error(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.patch(METRICS + "/signup", json=metric(archived=False))
        with pytest.raises(ArchiveNotApplied, match='left the metric "signup" active'):
            client.archive_metric("shop", "signup")
        launchdarkly.patch(METRICS + "/signup", json=metric(archived=True))
        with pytest.raises(ArchiveNotApplied, match='left the metric "signup" archived'):
            client.restore_metric("shop", "signup")


def test_delete_needs_no_body(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.delete(METRICS + "/signup", status=204)
        client.delete_metric("shop", "signup")
        assert len(launchdarkly.calls) == 1


def test_caller_identity_and_project_are_read(client: LaunchDarkly) -> None:
    identity = {"accountId": "a1", "tokenName": "connector", "tokenKind": "auth", "serviceToken": True}
    CallerIdentityRep.from_dict(identity)
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.get(f"{API}/caller-identity", json=identity)
        assert client.caller_identity() == identity
        launchdarkly.get(f"{API}/projects/shop", json={"key": "shop", "name": "Shop"})
        assert client.project("shop")["name"] == "Shop"


def test_a_link_for_people_stays_on_the_customers_instance() -> None:
    client = LaunchDarkly(TOKEN, user_agent=AGENT, base_url="eu")
    assert client.metric_url("shop", "a b") == "https://app.eu.launchdarkly.com/projects/shop/metrics/a%20b"


class Pages:
    """Answers list calls from `keys`, as LaunchDarkly pages them."""

    def __init__(self, keys: list[str], *, total: bool = True, most: int = 50) -> None:
        self.keys, self.total, self.most = keys, total, most
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        self.asked.append(request.params)
        offset, limit = int(request.params["offset"]), min(int(request.params["limit"]), self.most)
        page: dict[str, Any] = {
            "items": [metric(key) for key in self.keys[offset : offset + limit]],
            "_links": {"next": {"href": "https://evil.example/api/v2/metrics/shop", "type": "application/json"}},
        }
        if self.total:
            page["totalCount"] = len(self.keys)
        MetricCollectionRep.from_dict(page)
        return 200, {}, json.dumps(page)


@pytest.mark.parametrize(("count", "fetched"), [(0, 1), (49, 1), (50, 1), (51, 2), (120, 3)])
def test_a_list_is_paged_by_offset_up_to_its_total(client: LaunchDarkly, count: int, fetched: int) -> None:
    keys = [f"m{number}" for number in range(count)]
    pages = Pages(keys)
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.add_callback("GET", METRICS, pages)
        assert [item["key"] for item in client.list_metrics("shop")] == keys
    assert len(pages.asked) == fetched
    assert pages.asked[0] == {"limit": "50", "offset": "0", "sort": "createdAt"}


@pytest.mark.parametrize("total", [True, False])
def test_a_list_without_a_total_ends_at_a_short_page(client: LaunchDarkly, total: bool) -> None:
    keys = [f"m{number}" for number in range(7)]
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.add_callback("GET", METRICS, Pages(keys, total=total))
        assert [item["key"] for item in client.list_metrics("shop", page_size=3)] == keys


def test_a_server_that_answers_smaller_pages_than_asked_for_is_followed_to_its_total(client: LaunchDarkly) -> None:
    keys = [f"m{number}" for number in range(45)]
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.add_callback("GET", METRICS, Pages(keys, most=20))
        assert [item["key"] for item in client.list_metrics("shop", page_size=999)] == keys


def test_a_list_passes_filter_sort_and_expand_on(client: LaunchDarkly) -> None:
    pages = Pages([])
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.add_callback("GET", METRICS, pages)
        assert list(client.list_metrics("shop", filter='eventKeys anyOf ["a b"]', sort="-name", expand=["x"])) == []
    assert pages.asked[0] == {
        "filter": 'eventKeys anyOf ["a b"]',
        "sort": "-name",
        "expand": "x",
        "limit": "50",
        "offset": "0",
    }


def test_a_list_that_repeats_itself_ends_with_an_error(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.get(METRICS, json={"items": [metric()], "totalCount": 10**9})
        found = client.list_metrics("shop")
        assert next(found)["key"] == "signup"
        with pytest.raises(UnexpectedAnswer, match="repeats itself"):
            next(found)
        assert len(launchdarkly.calls) == 2


def test_a_list_that_never_ends_ends_with_an_error(client: LaunchDarkly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.launchdarkly.client._MOST_PAGES", 3)
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.add_callback("GET", METRICS, Pages([f"m{number}" for number in range(200)]))
        found = client.list_metrics("shop")
        assert len([next(found) for _metric in range(150)]) == 150
        with pytest.raises(UnexpectedAnswer, match="does not end"):
            next(found)


@pytest.mark.parametrize("page", [{}, {"items": None}, {"items": "abc"}, {"items": [1]}, {"items": [{"key": None}]}])
def test_what_is_no_list_of_metrics_is_an_error(client: LaunchDarkly, page: dict[str, Any]) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.get(METRICS, json=page)
        with pytest.raises(UnexpectedAnswer, match="no list of metrics"):
            list(client.list_metrics("shop"))


def test_an_empty_page_ends_a_list_whatever_its_total_says(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.get(METRICS, json={"items": [], "totalCount": 9})
        assert list(client.list_metrics("shop")) == []


def test_a_taken_key_is_told_from_a_concurrent_update(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.post(METRICS, status=409, json={"code": "key_exists", "message": "taken", "id": "30ce"})
        with pytest.raises(KeyExists, match=r'"taken" \(LaunchDarkly id 30ce\)'):
            client.create_metric("shop", BODY)


def test_a_refusal_names_the_project_that_the_call_was_about(client: LaunchDarkly) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.get(METRICS + "/signup", status=403, json={"code": "forbidden"})
        with pytest.raises(Forbidden, match="proj/shop:metric"):
            client.get_metric("shop", "signup")
        launchdarkly.get(f"{API}/projects/shop", status=404, json={"code": "not_found"})
        with pytest.raises(NotFound, match='project key "shop"'):
            client.project("shop")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"null", b"\xff", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"]
)
def test_a_success_without_a_json_object_is_ambiguous(client: LaunchDarkly, body: bytes) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.post(METRICS, status=201, body=body)
        with pytest.raises(AnswerLost) as lost:
            client.create_metric("shop", BODY)
    assert lost.value.status == 201


def test_the_observer_sees_a_success_with_its_limits(client: LaunchDarkly, calls: list[Call]) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.get(METRICS + "/signup", json=metric(), headers={"X-Ratelimit-Global-Remaining": "41"})
        client.get_metric("shop", "signup", expand=["experiments"])
    (call,) = calls
    assert (call.method, call.path, call.status) == ("GET", "/api/v2/metrics/shop/signup", 200)
    assert (call.code, call.request_id, call.error) == (None, None, None)
    assert call.limits is not None
    assert call.limits.account == Limit(remaining=41)
    assert call.seconds >= 0


def test_the_observer_sees_a_refusal_with_launchdarklys_code_and_id(client: LaunchDarkly, calls: list[Call]) -> None:
    with responses.RequestsMock() as launchdarkly:
        launchdarkly.post(
            METRICS, status=429, json={"code": "rate_limited", "id": "30ce"}, headers={"Retry-After": "2"}
        )
        with pytest.raises(RateLimited) as limited:
            client.create_metric("shop", BODY)
    (call,) = calls
    assert (call.status, call.code, call.request_id, call.error) == (429, "rate_limited", "30ce", "RateLimited")
    assert call.limits == limited.value.limits
    assert limited.value.limits.not_before is not None
    assert limited.value.limits.not_before >= call.started + 2


def test_a_token_that_the_answer_echoes_is_shown_nowhere(client: LaunchDarkly, calls: list[Call]) -> None:
    with responses.RequestsMock() as launchdarkly:
        echo = {"code": TOKEN, "message": "x" * 490 + f" bad token {TOKEN}", "id": TOKEN}
        launchdarkly.get(METRICS + "/signup", status=401, json=echo)
        with pytest.raises(Exception, match="401") as refused:
            client.get_metric("shop", "signup")
    for shown in (repr(client), repr(vars(client)), str(refused.value), repr(vars(refused.value)), repr(calls)):
        assert "7b2e" not in shown
