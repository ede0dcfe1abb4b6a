"""Entry points for AWS Lambda and Google Cloud Functions.

With `CONNECTOR_DATABASE_URL` (PostgreSQL) deliveries are kept like anywhere else, and `sweep_handler` or `google_sweep`
on a schedule finishes what a request could not. Without it nothing is kept: LaunchDarkly itself is the memory.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from apig_wsgi import make_lambda_handler
from flask import Flask
from werkzeug.wrappers import Request, Response

from connector import logs
from connector.settings import Settings, SettingsError

log = logging.getLogger(__name__)

RESERVE = 15.0
"""Seconds before a function's end at which a sweep begins nothing more: the calls of an attempt take about that."""

GOOGLE_BUDGET = 60.0
"""Seconds of a sweep on Google Cloud, whose functions are not told how long they may run; 60 is its default."""


class LambdaContext(Protocol):
    """Of https://docs.aws.amazon.com/lambda/latest/dg/python-context.html what a sweep needs."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Function:
    """What a process serves, however often it is called; `sweep` takes the seconds left and says how much it did."""

    app: Flask
    sweep: Callable[[Callable[[], float]], int]
    on_lambda: Callable[[dict[str, Any], Any], dict[str, Any]]


@cache
def function() -> Function:
    """Wired by the first call of a process, from its environment. Raises `SettingsError`, or what the rooms raise."""
    settings = Settings.from_environment()
    logs.set_up(settings.log_format)
    if os.environ.get("CONNECTOR_DATABASE_URL", "").strip():
        from connector.serverless.durable import Durable  # noqa: PLC0415 - a cold start loads what it needs only

        durable = Durable(settings)
        return _function(durable.app, lambda left: durable.sweep(left, reserve=RESERVE))
    if settings.environment_connection is None:
        wanted = "CONNECTOR_WEBHOOK_SECRET, LAUNCHDARKLY_API_KEY and LAUNCHDARKLY_PROJECT_KEY"
        raise SettingsError([f"There is nothing to serve: set {wanted}, or CONNECTOR_DATABASE_URL."])
    from connector.serverless.stateless import create_stateless_app  # noqa: PLC0415

    return _function(create_stateless_app(settings, settings.environment_connection), lambda _left: 0)


def _function(app: Flask, sweep: Callable[[Callable[[], float]], int]) -> Function:
    return Function(app, sweep, make_lambda_handler(app))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A webhook from API Gateway (REST and HTTP APIs), a function URL or an Application Load Balancer.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    return function().on_lambda(event, context)


def sweep_handler(event: object, context: LambdaContext) -> dict[str, int]:  # noqa: ARG001 - the schedule's own
    """On a schedule: apply what is due. Without a database nothing ever waits."""
    attempts = function().sweep(lambda: context.get_remaining_time_in_millis() / 1000)
    log.info("swept", extra={"attempts": attempts})
    return {"attempts": attempts}


def google_webhook(request: Request) -> Response:
    """A webhook on Google Cloud Functions, at any address of the function that ends in `/webhooks/{endpoint}`.

    The bare address of the function is that of the endpoint `default`.
    """
    environ = dict(request.environ)
    if environ.get("PATH_INFO", "") in {"", "/"}:
        environ["PATH_INFO"] = "/webhooks/default"
    return Response.from_app(function().app, environ)


def google_sweep(cloud_event_or_request: object) -> str:  # noqa: ARG001 - the schedule's own
    """On a schedule, by HTTP or by a Pub/Sub message: apply what is due."""
    ends_at = time.monotonic() + GOOGLE_BUDGET
    attempts = function().sweep(lambda: ends_at - time.monotonic())
    log.info("swept", extra={"attempts": attempts})
    return f"{attempts} attempts\n"
