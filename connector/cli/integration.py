"""`connector integration`: the submission to LaunchDarkly's integration framework."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from slugify import slugify

from connector.integration import submission
from connector.integration.listing import CATEGORIES
from connector.integration.submission import SubmissionRefused

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FRAMEWORK = "https://github.com/launchdarkly/integration-framework"


@click.group()
def integration() -> None:
    """Make the submission to LaunchDarkly's integration framework."""


@integration.command()
@click.option("--from", "file", type=_FILE, help="A TOML file with any of the values below; options win over it.")
@click.option("--name", help="What customers call the product.")
@click.option("--version", help="The listing's semantic version; raise it with every submission.")
@click.option("--overview", help="One sentence of at most 100 characters that starts with a verb.")
@click.option("--description", help="What it does, in one line; {name} stands for the name.")
@click.option("--details", help="What a customer does to connect, in one line; {name} stands for the name.")
@click.option("--author", help="The company.")
@click.option("--support-email", help="Where customers write to.")
@click.option("--site", help="Link to the company's site.")
@click.option("--privacy-policy", help="Link to the company's privacy policy.")
@click.option("--support-website", help="Link to the company's support.")
@click.option("--docs", help="Link to the page that tells customers how to connect.")
@click.option(
    "--category",
    "categories",
    multiple=True,
    metavar="CATEGORY",
    help=f"One to three; repeat the option. One of {', '.join(CATEGORIES)}.",
)
@click.option("--square", type=_FILE, help="An SVG logo as wide as high, readable at 40 pixels.")
@click.option("--horizontal", type=_FILE, help="An SVG logo wider than high, readable at 55 pixels high.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="integration",
    show_default=True,
    help="The directory; it holds nothing else.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; fail unless the directory is up to date and can be submitted."
)
def build(file: Path | None, out: Path, check: bool, **values: Any) -> None:
    """Write the directory for a partner's name, links and logos; without any, the connector's own.

    Exit code 2 where a value breaks a rule of the framework, 1 where --check finds the directory not ready.
    """
    try:
        listing = submission.listing(file, {field: value for field, value in values.items() if value not in (None, ())})
        wanted = submission.files(listing)
        if not check:
            submission.write(out, wanted)
    except SubmissionRefused as refused:
        _fail(refused.sentences, exit_code=2)
    except OSError as error:
        _fail([f"{out} cannot be written: {error}."], exit_code=1)
    unready = listing.placeholders(own=submission.listing())
    if check and (unready := [*submission.differences(out, wanted), *unready]):
        _fail(unready, exit_code=1)
    if check:
        click.echo(f"{out} is up to date and can be submitted.")
        return
    for path in wanted:
        click.echo(f"wrote {out / path}")
    for sentence in unready:
        click.echo(f"Before you submit it: {sentence}")
    click.echo(f"Copy it to integrations/{slugify(listing.name)}/ in a fork of {_FRAMEWORK}")


def _fail(sentences: list[str], *, exit_code: int) -> None:
    for sentence in sentences:
        click.echo(f"Error: {sentence}", err=True)
    sys.exit(exit_code)
