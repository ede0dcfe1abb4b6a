"""`python -m benchmarks`: measure, print the tables, and keep them for the docs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks import backlog, drawing, living, own_code, receiving
from benchmarks.figures import Figure, Given, Report, markdown, merged

DOCS = Path(__file__).parent.parent / "docs"
SHORT = Given(seconds=0.3, rounds=1, rows=2000, soak=2.0, calls=40, imported=500, offered=(10, 60), aside=False)
SECTIONS = ("own", "accept", "through", "wire", "slow", "inbox", "living")


def measure(given: Given, sections: Sequence[str], missing: dict[str, str]) -> Iterator[Figure]:
    """Every figure of these sections, each section in a directory of its own; `missing` learns what was not."""
    runs: dict[str, Callable[[Path], Iterator[Figure]]] = {
        "own": lambda directory: own_code.run(given, directory),
        "accept": lambda directory: receiving.accept(given, directory),
        "through": lambda directory: receiving.end_to_end(given, directory, missing),
        "wire": lambda directory: receiving.wire(given, directory),
        "slow": lambda directory: receiving.slow(given, directory),
        "inbox": lambda directory: backlog.run(given, directory, missing),
        "living": lambda directory: living.run(given, directory),
    }
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as temporary:
        for section in sections:
            directory = Path(temporary) / section
            directory.mkdir()
            try:
                yield from runs[section](directory)
            except SystemExit as failed:  # the others are worth having all the same
                missing[section] = str(failed)


def pictures(written: dict[str, Any]) -> dict[str, str]:
    """File name to SVG, of the sections that were measured."""
    values = {(each["section"], each["name"]): each["value"] for each in written["figures"]}
    drawn = {}
    rates = {section: [] for section in (receiving.ACCEPT, receiving.THROUGH)}  # type: dict[str, list[tuple[str, float]]]
    for (section, name), value in values.items():
        if section in rates and name.endswith(", closed loop"):
            rates[section].append((name.removesuffix(", closed loop"), value))
    for section, file in ((receiving.ACCEPT, "accept"), (receiving.THROUGH, "end-to-end")):
        if rates[section]:
            drawn[f"performance-{file}.svg"] = drawing.bars(f"{section} (webhooks a second)", "/s", rates[section])
    series = []
    for name, what, unit in (("answered 201", "answered 201", "%"), ("p99 of the answers", "p99", "ms")):
        points = [
            (float(rate), values[receiving.SLOW, f"{rate} webhooks a second: {what}"])
            for rate in range(1, 1000)
            if (receiving.SLOW, f"{rate} webhooks a second: {what}") in values
        ]
        series.append((name, unit, points))
    if series[0][2]:
        drawn["performance-slow.svg"] = drawing.lines(receiving.SLOW, "webhooks a second, offered", series)
    return drawn


@click.command()
@click.option("--short", is_flag=True, envvar="BENCH_SHORT", help="A minute's worth, to see that it works.")
@click.option("--full", is_flag=True, help="A minute for each load, a million rows, an hour's soak.")
@click.option("--only", "sections", multiple=True, type=click.Choice(SECTIONS), help="Again and again for several.")
@click.option(
    "--peers", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Where install.sh put them."
)
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), help="Where to write; docs/ for the docs' own."
)
def main(*, short: bool, full: bool, sections: tuple[str, ...], peers: Path | None, into: Path | None) -> None:
    """Measure the connector, beside what an engineer would use instead, on this machine and its loopback.

    With `--only` and `--into` the sections measured replace what stands there of them.
    """
    given = SHORT if short else Given(seconds=60.0, soak=3600.0, peers=peers) if full else Given(peers=peers)
    missing: dict[str, str] = {}
    figures = []
    before = os.getloadavg()[0]
    for figure in measure(given, sections or SECTIONS, missing):
        figures.append(figure)
        click.echo("\n".join(list(markdown(Report([figure]).to_dict()))[-1:]))
    loads = {", ".join(sections) or "all": f"{before:.1f} to {os.getloadavg()[0]:.1f}"}
    written = Report(figures, missing, loads).to_dict()
    click.echo(json.dumps(written["machine"] | {"missing": missing}, indent=2))
    if into is None and not short and not sections:
        into = DOCS
    if into is not None:
        kept = into / "explanation" / "performance.json"
        keep(merged(json.loads(kept.read_text()), written) if sections and kept.exists() else written, into)


def keep(written: dict[str, Any], into: Path) -> None:
    """The figures as JSON and as tables, and the pictures, where the docs expect them."""
    for name in ("explanation", "images"):
        (into / name).mkdir(parents=True, exist_ok=True)
    (into / "explanation" / "performance.json").write_text(json.dumps(written, indent=2) + "\n")
    for name, picture in pictures(written).items():
        (into / "images" / name).write_text(picture)
    page = into / "explanation" / "performance.md"
    before, mark, rest = (page.read_text() if page.exists() else "# Performance\n\n").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n" + "\n".join(_tables(written)) + f"\n{END}{after if mark else chr(10)}")


BEGIN, END = "<!-- measured: written by `make bench` -->", "<!-- end of what was measured -->"


def _tables(written: dict[str, Any]) -> Iterator[str]:
    loads = written["machine"]["load"]
    machine = ", ".join(f"{name} {value}" for name, value in written["machine"].items() if name != "load")
    yield f"Machine: {machine}."
    yield f"\nLoad average, by run: {'; '.join(f'{run}: {said}' for run, said in loads.items())}."
    yield from markdown(written)
    yield from (f"\nNot measured: {name} ({reason})." for name, reason in written["missing"].items())


if __name__ == "__main__":
    main()
