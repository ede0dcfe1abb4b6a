"""`connector worker`: apply what many receivers store, on as many machines as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from connector import instruments, logs, tracing
from connector.installation import applying, duties, open_installation
from connector.settings import Settings, SettingsError


def _address(_context: click.Context, _option: click.Parameter, given: str | None) -> tuple[str, int] | None:
    if given is None:
        return None
    host, _, port = given.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter("Give HOST:PORT, such as 127.0.0.1:9464.")
    return host.strip("[]"), int(port)


@click.command()
@click.option(
    "--concurrency", type=click.IntRange(1, 256), help="Changes applied at once; unset: half of CONNECTOR_THREADS."
)
@click.option(
    "--beat/--no-beat", default=True, show_default=True, help="Look each second for work that nobody rang for."
)
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    callback=_address,
    help="Serve what this worker counts to Prometheus; unset: nowhere.",
)
def worker(concurrency: int | None, beat: bool, metrics: tuple[str, int] | None) -> None:
    """Apply changes until SIGTERM, then finish what is under way.

    Needs PostgreSQL (CONNECTOR_DATABASE_URL) and a broker (CONNECTOR_BROKER_URL), the same as the receivers'. At least
    one worker must have its beat; any number may.
    """
    from connector.delivery.celery_runner import Bell, celery_app
    from connector.delivery.duties import Duties
    from connector.delivery.runner import EmbeddedRunner
    from connector.delivery.worker import check_broker, work

    settings = Settings.from_environment()
    if settings.broker_url is None:
        raise SettingsError(
            ["CONNECTOR_BROKER_URL is not set. Set it, or run no worker: without a broker `connector serve` applies."]
        )
    logs.set_up(settings.log_format)
    threads = concurrency or settings.threads // 2
    installation = open_installation(replace(settings, threads=threads))
    try:
        app = celery_app(settings.broker_url, settings.broker_queue)
        check_broker(app)
        bell = Bell(app)
        runner = EmbeddedRunner(
            installation.database,
            applying(installation),
            threads=threads,
            sole=False,
            sweeps=beat,
            take_over_after=settings.take_over_after,
            pass_on=bell.ring,
        )
        periodic = Duties(installation.database, duties(installation))
        periodic.start()
        end_tracing = tracing.set_up()
        try:
            with _counted(metrics):
                work(app, runner, bell)
        finally:
            periodic.stop()
            end_tracing()
    finally:
        installation.close()


@contextmanager
def _counted(address: tuple[str, int] | None) -> Iterator[None]:
    """What this process counts, served at `/metrics` of `address` for the length of the block."""
    if address is None:
        yield
        return
    from prometheus_client import start_http_server

    host, port = address
    try:
        server, thread = start_http_server(port, host, instruments.REGISTRY)
    except OSError as error:
        raise click.ClickException(f"Cannot serve metrics at {host}:{port}: {error.strerror}.") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
