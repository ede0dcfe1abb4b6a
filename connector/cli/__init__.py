"""The command line: one module per noun. Exit codes: 0 done, 1 failed, 2 misused."""

from __future__ import annotations

import importlib
import sys
from keyword import iskeyword

import click

from connector import __version__
from connector.cli.failures import explained

_COMMANDS = {
    "connections": ("connections", "Connect customers, test and change their connections."),
    "db": ("database", "Bring the database's schema up to date."),
    "deliveries": ("deliveries", "See what came in and what became of it; replay it."),
    "demo": ("demo", "Run the main job against the sandbox and show the metrics it made."),
    "import": ("import_", "Bring a first catalogue in, from a file or from the partner."),
    "doctor": ("doctor", "Say what is wrong, and how to mend it."),
    "integration": ("integration", "Make the submission to LaunchDarkly's integration framework."),
    "keys": ("keys", "Make and change the keys that encrypt stored secrets."),
    "partners": ("partners", "See the partners, and try a mapping file."),
    "sandbox": ("sandbox", "Serve a stand-in for LaunchDarkly."),
    "send": ("send", "Sign and send a webhook, as any partner would."),
    "serve": ("serve", "Serve the webhooks."),
    "sync": ("sync", "Plan, look, apply: bring the metrics to the source's catalogue."),
    "worker": ("worker", "Apply what many receivers store."),
}


class _Commands(click.Group):
    """Imports a command's module when it is called, so that `--help` and small commands start fast."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"connector.cli.{_COMMANDS[name][0]}")
        command: click.Command = getattr(module, f"{name}_" if iskeyword(name) else name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in sorted(_COMMANDS.items())])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="connector")
def cli() -> None:
    """A partner's event types become LaunchDarkly metrics.

    Settings come from the environment (CONNECTOR_DATABASE_URL, …); see docs/reference/settings.md.
    """


def main() -> None:
    with explained():
        cli(prog_name="connector")
    sys.exit(0)
