"""The page of all commands: what `--help` says of each."""

from __future__ import annotations

from collections.abc import Iterator

import click

from connector.cli import cli

_HEAD = """\
# Command line

`connector COMMAND --help` says the same. Exit codes: 0 done, 1 failed, 2 misused. Commands never ask when standard
input is no terminal. [Settings](settings.md) come from the environment.

*Written from the commands themselves by `make docs`.*
"""


def page() -> str:
    sections = (f"\n## `{name}`\n\n```text\n{text}\n```\n" for name, text in helps(cli, None, "connector"))
    return _HEAD + "".join(sections)


def helps(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    """The command and all below it, each with its `--help`."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    context.help_option_names = ["-h", "--help"]
    yield context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None:
                yield from helps(below, context, each)
