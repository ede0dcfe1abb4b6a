"""Every code that the source declares, found by reading it: classes with a `code`, and calls that give one.

A call gives a code where the class's `__init__` (or a function that makes it) has a parameter `code`, or where the
keyword `code=` stands in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import connector

SOURCE = Path(connector.__file__).parent
PEERS = ("sandbox",)
"""What stands for LaunchDarkly answers with LaunchDarkly's codes."""


def declared() -> dict[str, set[str]]:
    """Code → the files (relative to the package) that declare it."""
    trees = {
        path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text())
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] not in PEERS
    }
    takers = _takers(trees.values())
    found: dict[str, set[str]] = {}
    for name, tree in trees.items():
        for code in (*_of_classes(tree), *_of_calls(tree, takers), *_of_names(tree)):
            found.setdefault(code, set()).add(name)
    return found


def _of_classes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                        yield code
                    case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(code))):
                        yield code


def _takers(trees: Iterable[ast.AST]) -> dict[str, int]:
    """Classes and functions with a parameter `code`, and where it stands among the arguments of a call."""
    takers: dict[str, int] = {}
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef():
                    inits = [
                        each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"
                    ]
                    for each in inits:
                        names = [argument.arg for argument in each.args.args[1:]]
                        if "code" in names:
                            takers[node.name] = names.index("code")
                case ast.FunctionDef():
                    names = [argument.arg for argument in node.args.args if argument.arg not in {"self", "cls"}]
                    if "code" in names and node.name != "__init__":
                        takers[node.name] = names.index("code")
    return takers


def _of_calls(tree: ast.AST, takers: dict[str, int]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            if name in takers and len(node.args) > takers[name]:
                given.append(node.args[takers[name]])
            for value in given:
                yield from _words(value)


def _of_names(tree: ast.AST) -> Iterator[str]:
    """What a variable called `code` is made from, and the members of an enumeration of codes."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                yield from _words(value)
            case ast.ClassDef(name=name) if name.endswith("Code"):
                for statement in node.body:
                    if isinstance(statement, ast.Assign):
                        yield from _words(statement.value)


def _words(value: ast.AST) -> Iterator[str]:
    """The codes in an expression: constants that look like one, but for the names of attributes and fields."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", getattr(value.func, "attr", "")) in {"getattr", "get"}:
        for argument in (*value.args[2:], getattr(value.func, "value", value.args[0])):
            yield from _words(argument)
    elif isinstance(value, ast.Subscript):
        yield from _words(value.value)
    elif isinstance(value, ast.Constant):
        if isinstance(value.value, str) and re.fullmatch(r"[a-z][a-z0-9_]+", value.value):
            yield value.value
    else:
        for child in ast.iter_child_nodes(value):
            yield from _words(child)
