from __future__ import annotations

import pickle

import pytest

from connector.launchdarkly import errors
from connector.launchdarkly.credentials import least_privilege_policy
from connector.launchdarkly.errors import LaunchDarklyError, NotFound, RateLimited, refusal
from connector.launchdarkly.limits import Limits


def refused(
    status: int, *, code: object = None, message: object = None, metric: str | None = None
) -> LaunchDarklyError:
    answer = {"code": code, "message": message, "id": "30ce6058"}
    return refusal(status, answer, Limits(), project="shop", metric=metric)


@pytest.mark.parametrize(
    ("status", "ld_code", "kind"),
    [
        (302, None, errors.UnexpectedAnswer),
        (400, "invalid_request", errors.Invalid),
        (401, "unauthorized", errors.Unauthorized),
        (403, "forbidden", errors.Forbidden),
        (404, "not_found", errors.NotFound),
        (405, "method_not_allowed", errors.UnexpectedAnswer),
        (409, "key_exists", errors.KeyExists),
        (409, "optimistic_locking_error", errors.ConcurrentUpdate),
        (409, None, errors.ConcurrentUpdate),
        (422, "unprocessable", errors.Invalid),
        (429, "rate_limited", errors.RateLimited),
        (500, None, errors.ServerError),
        (503, None, errors.ServerError),
    ],
)
def test_a_status_and_code_name_one_error(status: int, ld_code: str | None, kind: type[LaunchDarklyError]) -> None:
    error = refused(status, code=ld_code)
    assert type(error) is kind
    assert (error.status, error.ld_code, error.ld_id) == (status, ld_code, "30ce6058")


@pytest.mark.parametrize(
    ("kind", "retryable", "ambiguous"),
    [
        (errors.Invalid, False, False),
        (errors.Unauthorized, False, False),
        (errors.Forbidden, False, False),
        (errors.NotFound, False, False),
        (errors.KeyExists, False, False),
        (errors.ConcurrentUpdate, True, False),
        (errors.RateLimited, True, False),
        (errors.ServerError, True, True),
        (errors.Unreachable, True, False),
        (errors.AnswerLost, True, True),
        (errors.UnexpectedAnswer, False, False),
        (errors.ArchiveNotApplied, False, False),
    ],
)
def test_every_error_says_whether_to_retry_and_whether_to_read_back(
    kind: type[LaunchDarklyError], *, retryable: bool, ambiguous: bool
) -> None:
    assert (kind.retryable, kind.ambiguous) == (retryable, ambiguous)
    assert kind.advice


def test_codes_are_unique() -> None:
    codes = [
        kind.code for kind in LaunchDarklyError.__subclasses__() if kind.__module__.startswith("connector.launchdarkly")
    ]
    assert len(set(codes)) == len(codes) == 14


def test_an_error_reads_as_a_sentence_with_the_id_that_support_asks_for() -> None:
    assert str(refused(422, message="patch failed")) == (
        'LaunchDarkly answered HTTP 422. LaunchDarkly says: "patch failed" (LaunchDarkly id 30ce6058) '
        "Correct what LaunchDarkly names, then replay the delivery."
    )


def test_an_unknown_analysis_unit_is_explained() -> None:
    error = refused(400, message='Randomization unit "device" not found in project settings [user]')
    assert error.advice == (
        'In LaunchDarkly\'s project settings make the context kind "device" available for experiments, or give the '
        "connection analysis units that are."
    )


def test_a_forbidden_call_is_answered_with_the_least_privilege_policy() -> None:
    assert least_privilege_policy("shop") in refused(403).advice


@pytest.mark.parametrize(
    ("metric", "message", "missing"),
    [
        (None, None, "project"),
        ("signup", "Unknown project key shop", "project"),
        ("signup", "Unknown metric key signup", "metric"),
        ("project-opened", "Unknown metric key project-opened", "metric"),
        ("signup", "Unknown metric or project", None),
        ("signup", None, None),
    ],
)
def test_a_missing_project_is_told_from_a_missing_metric_where_possible(
    metric: str | None, message: str | None, missing: str | None
) -> None:
    error = refused(404, message=message, metric=metric)
    assert isinstance(error, NotFound)
    assert error.missing == missing


def test_a_rate_limit_carries_its_limits() -> None:
    limits = Limits(not_before=12.0)
    error = refusal(429, {}, limits, project=None, metric=None)
    assert isinstance(error, RateLimited)
    assert error.limits is limits


def test_foreign_texts_are_one_bounded_line_without_control_characters() -> None:
    error = refused(400, code=["no", "text"], message="a\r\nb\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}" + "x" * 5000)
    assert error.ld_code is None
    assert error.ld_message is not None
    assert error.ld_message.startswith("a b [31m x")
    assert len(error.ld_message) == 500


def test_an_error_survives_pickling_with_all_it_knows() -> None:
    error = refused(404, message="Unknown project key shop", metric="signup")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again), vars(again)) == (NotFound, str(error), vars(error))
