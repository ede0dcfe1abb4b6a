"""What metrics are good for, and where LaunchDarkly does not tell."""

from __future__ import annotations

from typing import Any

from connector.catalogue.usefulness import Usefulness, usefulness


def metric(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": key, "eventKey": f"event of {key}", "archived": False, **fields}


def listed(*metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["key"]: each for each in metrics}


def test_where_launchdarkly_tells_nothing_nothing_is_said() -> None:
    live = listed(metric("a", maintainerId="5" * 24))
    assert usefulness(live, {"a"}) == Usefulness(never_seen=None, unmaintained=(), in_use=None)


def test_an_event_was_never_seen_where_others_are_told_to_have_been() -> None:
    live = listed(metric("a"), metric("stranger", lastSeen=1_700_000_000_000))
    assert usefulness(live, {"a"}).never_seen == ("event of a",)


def test_a_metric_without_maintainer_has_nobody_to_ask() -> None:
    live = listed(metric("a"), metric("b", maintainerId="5" * 24))
    assert usefulness(live, {"a", "b"}).unmaintained == ("a",)


def test_experiments_and_rollouts_that_run_count_alike() -> None:
    live = listed(
        metric("a", activeExperimentCount=1),
        metric("b", activeGuardedRolloutCount=2),
        metric("c", activeExperimentCount=0),
    )
    assert usefulness(live, {"a", "b", "c"}).in_use == ("a", "b")


def test_archived_metrics_and_those_of_others_are_left_out() -> None:
    live = listed(metric("a", archived=True, lastSeen=1), metric("b"))
    assert usefulness(live, {"a"}) == Usefulness(never_seen=(), unmaintained=(), in_use=None)


def test_it_comes_back_from_its_json() -> None:
    for each in (Usefulness(), Usefulness(("a",), ("b",), ("c",))):
        assert Usefulness.from_dict(each.to_dict()) == each
