"""OpenTelemetry spans, where the environment names an exporter's address; else each costs a comparison with `None`.

The SDK reads its own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER …):
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. It must never see a secret or a body.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

log = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

FLUSH = 5_000
"""Milliseconds that what was not exported yet has when the process ends."""

Attributes = Mapping[str, str | int | float | bool]

_tracer: Tracer | None = None
_OFF: AbstractContextManager[None] = nullcontext()


def set_up(exporter: SpanExporter | None = None) -> Callable[[], None]:
    """Export spans from now on where the environment says so, or to `exporter`; what ends that again."""
    global _tracer  # noqa: PLW0603 - one tracer a process, as there is one log
    if exporter is None and not any(os.environ.get(name, "").strip() for name in ENDPOINTS):
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError:
        log.warning("traces need the extra otel; run: pip install 'metric-connector[otel]'")
        return lambda: None
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "metric-connector"}
    provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    _tracer = provider.get_tracer("connector")

    def end() -> None:
        global _tracer  # noqa: PLW0603
        _tracer = None
        provider.force_flush(FLUSH)
        provider.shutdown()

    return end


def span(name: str) -> AbstractContextManager[Any]:
    """A span around a block: what it gives is for `say`, and None where nobody traces."""
    return _OFF if _tracer is None else _span(_tracer, name)


def say(current: Any, attributes: Attributes, *, failed: str | None = None) -> None:
    """Write on a span what is known by now; `failed` is the code of an error."""
    if current is None:
        return
    current.set_attributes(attributes)
    if failed is not None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - somebody traces, so it is there

        current.set_attribute("error.type", failed)
        current.set_status(Status(StatusCode.ERROR))


def past(name: str, attributes: Attributes, *, started: float, seconds: float, failed: str | None = None) -> None:
    """A span of something that is over: `started` is unix seconds."""
    if _tracer is None:
        return
    current = _tracer.start_span(name, start_time=int(started * 1e9))
    say(current, attributes, failed=failed)
    current.end(end_time=int((started + seconds) * 1e9))


@contextmanager
def _span(tracer: Tracer, name: str) -> Iterator[Any]:
    # An exception's text is not recorded: what it says is not ours to publish.
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        yield current
