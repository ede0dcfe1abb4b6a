"""`connector worker`: apply what many receivers store, on as many machines as it takes."""

from __future__ import annotations

from dataclasses import replace

import click

from connector import logs
from connector.installation import applying, open_installation
from connector.settings import Settings, SettingsError


@click.command()
@click.option(
    "--concurrency", type=click.IntRange(1, 256), help="Changes applied at once; unset: half of CONNECTOR_THREADS."
)
@click.option(
    "--beat/--no-beat", default=True, show_default=True, help="Look each second for work that nobody rang for."
)
def worker(concurrency: int | None, beat: bool) -> None:
    """Apply changes until SIGTERM, then finish what is under way.

    Needs PostgreSQL (CONNECTOR_DATABASE_URL) and a broker (CONNECTOR_BROKER_URL), the same as the receivers'. At least
    one worker must have its beat; any number may.
    """
    from connector.delivery.celery_runner import Bell, celery_app
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
        work(app, runner, bell)
    finally:
        installation.close()
