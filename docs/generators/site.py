"""MkDocs hooks: a navigation that follows the directories, and pages for the repository's files that the docs link to.

A link that leaves `docs/` works on a code host and in the site alike: here it leads to a page that shows the file.
It must never know what a page says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

SHOWN_UNDER = "repository"
_FENCE = re.compile(r"^ *(`{3,}|~{3,})[^\n]*\n.*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!\\)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_LANGUAGES = {".env": "sh", ".py": "python", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = [_entry(config, entry) for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every file outside `docs/` that a page links to, and for those that these link to."""
    for path in _top_level_pages(config):
        _show(files, config, path)
    for file in list(files.documentation_pages()):
        _follow(files, config, file.content_string, _home(config, file.src_uri))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    home = _home(config, page.file.src_uri)
    here = PurePosixPath(page.file.src_uri).parent

    def rewritten(link: re.Match[str]) -> str:
        target = _target(config, home, link[1])
        if target is None or files.get_file_from_path(uri := _uri(config, target)) is None:
            return link[0]
        return f"]({os.path.relpath(uri, here)}{link[2] or ''})"

    return _outside_fences(markdown, lambda text: _LINK.sub(rewritten, text))


def _entry(config: MkDocsConfig, entry: Any) -> Any:
    if isinstance(entry, str):
        return entry if (Path(config.docs_dir) / entry).exists() else f"{SHOWN_UNDER}/{entry}"
    (title, what), *_ = entry.items()
    if isinstance(what, list):
        return {title: [_entry(config, each) for each in what]}
    return {title: _pages(config, what) if what.endswith("/") else what}


def _pages(config: MkDocsConfig, directory: str) -> list[str]:
    docs = Path(config.docs_dir)
    found = [str(path.relative_to(docs)) for path in sorted((docs / directory).glob("*.md"))]
    first = [directory + "index.md", directory + "README.md", *config.extra["first"]]
    return sorted(found, key=lambda uri: first.index(uri) if uri in first else len(first))


def _top_level_pages(config: MkDocsConfig) -> Iterator[Path]:
    root = _root(config)
    for entry in config.nav or []:
        for listed in next(iter(entry.values())):
            if listed.startswith(f"{SHOWN_UNDER}/"):
                yield root / listed.removeprefix(f"{SHOWN_UNDER}/")


def _follow(files: Files, config: MkDocsConfig, text: str, home: Path) -> None:
    for link in _LINK.finditer(_FENCE.sub("", text)):
        target = _target(config, home, link[1])
        if target is not None and not target.is_relative_to(config.docs_dir):
            _show(files, config, target)


def _show(files: Files, config: MkDocsConfig, path: Path) -> None:
    uri = _uri(config, path)
    if files.get_file_from_path(uri) is not None:
        return
    if not path.exists():
        raise PluginError(f"A page links to {path.relative_to(_root(config))}, which does not exist.")
    text = _page(path, str(path.relative_to(_root(config))))
    shown = File.generated(config, uri, content=text)
    shown.inclusion = InclusionLevel.NOT_IN_NAV
    files.append(shown)
    _follow(files, config, text, path if path.is_dir() else path.parent)


def _page(path: Path, name: str) -> str:
    if path.suffix == ".md":
        return path.read_text()
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if not each.name.startswith((".", "__")))
        return f"# `{name}/`\n\n" + "".join(f"* [{each.name}]({each.name})\n" for each in found)
    return f"# `{name}`\n\n````````{_LANGUAGES.get(path.suffix, 'text')}\n{path.read_text()}\n````````\n"


def _target(config: MkDocsConfig, home: Path, link: str) -> Path | None:
    """The file of the repository that a link means; None for one that leads elsewhere."""
    if ":" in link or link.startswith("/"):
        return None
    target = Path(os.path.normpath(home / link))
    return target if target.is_relative_to(_root(config)) else None


def _uri(config: MkDocsConfig, target: Path) -> str:
    if target.is_relative_to(config.docs_dir):
        return str(target.relative_to(config.docs_dir))
    name = str(target.relative_to(_root(config)))
    return f"{SHOWN_UNDER}/{name}" if target.suffix == ".md" else f"{SHOWN_UNDER}/{name}.md"


def _home(config: MkDocsConfig, uri: str) -> Path:
    """The directory that a page's links start from."""
    shown = f"{SHOWN_UNDER}/"
    if not uri.startswith(shown):
        return (Path(config.docs_dir) / uri).parent
    path = _root(config) / uri.removeprefix(shown)
    directory = path.with_suffix("")
    return directory if directory.is_dir() and not path.exists() else path.parent


def _root(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent


def _outside_fences(markdown: str, change: Any) -> str:
    parts, at = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, change(markdown[at:])])
