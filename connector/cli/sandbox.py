"""`connector sandbox`: serve the LaunchDarkly stand-in. It must never know what the sandbox answers."""

from __future__ import annotations

import click

from connector.sandbox import ApiKey, Fault, FaultKind, Limits, Role, SandboxConfig, serve


def _fault(text: str) -> Fault:
    kind, _, rest = text.partition(":")
    probability, _, method = rest.partition(":")
    try:
        return Fault(FaultKind(kind), float(probability), method.upper() or None)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: write KIND:PROBABILITY[:METHOD], such as error-503:0.1:POST") from error


_LIMIT = click.IntRange(min=0)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9100, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--project", "projects", multiple=True, default=("demo",), show_default=True)
@click.option("--api-key", "api_keys", multiple=True, default=("api-demo",), show_default=True, help="May write.")
@click.option("--reader-key", "reader_keys", multiple=True, help="May only read.")
@click.option("--key-lifetime", type=click.FloatRange(min=0), help="Every key ends this many seconds later.")
@click.option("--latency-ms", type=click.FloatRange(min=0), default=0, help="Every call waits this long.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=_fault,
    metavar="KIND:PROBABILITY[:METHOD]",
    help=f"KIND is one of {', '.join(FaultKind)}.",
)
@click.option("--global-limit", type=_LIMIT, help="Calls per ten seconds and account.")
@click.option("--route-limit", type=_LIMIT, help="Calls per ten seconds, account and route.")
@click.option("--token-limit", type=_LIMIT, help="Calls per ten seconds and token.")
@click.option("--seed", type=int, help="Makes the faults repeatable.")
def sandbox(
    host: str,
    port: int,
    projects: tuple[str, ...],
    api_keys: tuple[str, ...],
    reader_keys: tuple[str, ...],
    key_lifetime: float | None,
    latency_ms: float,
    faults: tuple[Fault, ...],
    global_limit: int | None,
    route_limit: int | None,
    token_limit: int | None,
    seed: int | None,
) -> None:
    """Serve a LaunchDarkly stand-in that behaves: for demos, tests, load and fault runs.

    It answers the metric, project and caller-identity calls of the REST API until it is stopped, and is watched and
    controlled under /sandbox/.
    """
    latency = (Fault(FaultKind.LATENCY, seconds=latency_ms / 1000),) if latency_ms else ()
    try:
        keys = (*map(ApiKey, api_keys), *(ApiKey(token, Role.READER) for token in reader_keys))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    config = SandboxConfig(
        projects=projects,
        api_keys=keys,
        key_lifetime=key_lifetime,
        limits=Limits(global_limit, route_limit, token_limit),
        faults=latency + faults,
        seed=seed,
    )
    serve(config, host, port)
