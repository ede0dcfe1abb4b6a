"""LaunchDarkly's own client drives the sandbox: its models judge every answer."""

from __future__ import annotations

import launchdarkly_api as ld
import pytest
from launchdarkly_api.exceptions import ApiException

MEASURES = {
    "occurrence": {"is_numeric": False, "unit_aggregation_type": "average"},
    "count": {"is_numeric": False, "unit_aggregation_type": "sum"},
    "value-average": {"is_numeric": True, "unit_aggregation_type": "average", "unit": "USD"},
    "value-sum": {"is_numeric": True, "unit_aggregation_type": "sum", "unit": "USD"},
    "value-percentile": {"is_numeric": True, "unit": "ms", "analysis_type": "percentile", "percentile_value": 95},
}


@pytest.fixture
def connect(server):
    clients = []

    def connect_as(token):
        configuration = ld.Configuration(host=server.url, api_key={"ApiKey": token})
        clients.append(ld.ApiClient(configuration))
        return clients[-1]

    yield connect_as
    for client in clients:
        client.rest_client.pool_manager.clear()


@pytest.fixture
def metrics(sandbox, connect):
    return ld.MetricsApi(connect("api-demo"))


def post(key="orders", **fields):
    settings = {"is_numeric": False, "event_key": "Order Completed", "success_criteria": "HigherThanBaseline"}
    return ld.MetricPost(key=key, kind="custom", **settings | fields)


def replace(path, value):
    return ld.PatchOperation(op="replace", path=path, value=value)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_is_created_and_read_back(metrics, measure):
    fields = MEASURES[measure]
    created = metrics.post_metric(
        "demo", post(name="Orders", tags=["a"], description="d", analysis_units=["user"], **fields)
    )
    assert metrics.get_metric("demo", "orders") == created
    assert fields.items() <= created.model_dump().items()
    assert (created.key, created.version, created.archived) == ("orders", 1, False)
    assert created.last_modified.var_date.timestamp() * 1000 == pytest.approx(created.creation_date, abs=1)


def test_a_whole_body_as_its_model_knows_it_is_taken(metrics):
    full = post(
        is_numeric=True,
        unit="USD",
        maintainer_id="5f00000000000000000000aa",
        event_default=ld.MetricEventDefaultRep(disabled=True, value=0),
        data_source=ld.MetricDataSourceRefRep(key="launchdarkly-hosted"),
        randomization_units=["user"],
        winsor_upper_percentile=99.5,
        winsor_include_imputed=True,
    )
    created = metrics.post_metric("demo", full)
    assert created.event_default.disabled is True
    assert created.winsor_upper_percentile == 99.5
    assert created.maintainer_id == full.maintainer_id


def test_the_list_is_filtered_sorted_and_paged(metrics):
    for number in range(5):
        metrics.post_metric("demo", post(f"m-{number}", name=f"M {9 - number}", tags=["a"], event_key=f"E{number}"))
    page = metrics.get_metrics("demo", limit=2, offset=2, sort="name", filter='tags contains ["a"]')
    assert [item.key for item in page.items] == ["m-2", "m-1"]
    assert page.total_count == 5
    assert page.links.keys() == {"self", "first", "last", "next", "prev"}
    found = metrics.get_metrics("demo", filter='eventKeys anyOf ["E1","E3"],eventKind equals "custom"', sort="-name")
    assert [item.event_key for item in found.items] == ["E1", "E3"]
    assert metrics.get_metrics("demo", expand="experimentCount").items[0].experiment_count == 0


def test_a_metric_is_renamed_archived_and_deleted(metrics):
    metrics.post_metric("demo", post(name="Orders"))
    renamed = metrics.patch_metric("demo", "orders", [replace("/name", "Paid"), replace("/eventKey", "Paid")])
    assert (renamed.name, renamed.event_key, renamed.version) == ("Paid", "Paid", 2)
    archived = metrics.patch_metric("demo", "orders", [replace("/archived", value=True)])
    assert archived.archived
    assert archived.archived_at >= archived.creation_date
    assert metrics.delete_metric("demo", "orders") is None
    assert metrics.get_metrics("demo").total_count == 0


def test_a_patch_with_a_comment_is_taken(sandbox, metrics):
    metrics.post_metric("demo", post())
    body = ld.PatchWithComment(comment="renamed at the source", patch=[replace("/name", "Paid")]).to_dict()
    answer = sandbox("PATCH", "/api/v2/metrics/demo/orders", json=body)
    assert ld.MetricRep.from_dict(answer.json()).name == "Paid"


def test_the_caller_and_its_projects_are_known(sandbox, connect):
    client = connect("api-demo")
    identity = ld.OtherApi(client).get_caller_identity()
    assert (identity.service_token, identity.scopes) == (True, ["writer"])
    projects = ld.ProjectsApi(client)
    assert projects.get_project("demo").key == "demo"
    assert projects.get_projects().total_count == 1


def test_the_end_of_a_key_is_known(sandbox, connect):
    sandbox("PUT", "/sandbox/expiries", json={"api-demo": 4_000_000_000_000})
    identity = ld.OtherApi(connect("api-demo")).get_caller_identity()
    assert identity.expires_at == 4_000_000_000_000
    assert ld.OtherApi(connect("api-reader")).get_caller_identity().expires_at is None


def refusal(call, *arguments):
    with pytest.raises(ApiException) as caught:
        call(*arguments)
    return caught.value


def test_each_refusal_has_the_status_and_shape_of_its_model(sandbox, metrics, connect):
    metrics.post_metric("demo", post())
    reader, stranger = ld.MetricsApi(connect("api-reader")), ld.MetricsApi(connect("api-unknown"))
    failed_test = [ld.PatchOperation(op="test", path="/name", value="another")]
    refusals = {
        400: (metrics.post_metric, "demo", post(unit="USD")),
        401: (stranger.get_metrics, "demo"),
        403: (reader.delete_metric, "demo", "orders"),
        404: (metrics.get_metric, "demo", "nothing"),
        409: (metrics.post_metric, "demo", post()),
        422: (metrics.patch_metric, "demo", "orders", failed_test),
    }
    models = {400: ld.InvalidRequestErrorRep, 401: ld.UnauthorizedErrorRep, 403: ld.ForbiddenErrorRep,
              404: ld.NotFoundErrorRep, 409: ld.StatusConflictErrorRep, 422: ld.PatchFailedErrorRep}  # fmt: skip
    for status, (call, *arguments) in refusals.items():
        error = refusal(call, *arguments)
        assert error.status == status
        assert models[status].from_json(error.body).message
    sandbox("PUT", "/sandbox/limits", json={"global": 0})
    limited = refusal(metrics.get_metrics, "demo")
    assert limited.status == 429
    assert ld.RateLimitedErrorRep.from_json(limited.body).code == "rate_limited"
    assert limited.headers["X-Ratelimit-Global-Remaining"] == "0"
