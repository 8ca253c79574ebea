"""Every event that the code logs, read from the code; `python -m tests.log_vocabulary` brings docs/logs.md up to date.

What an event means is written there by hand and kept; names, levels and keys come from here.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/logs.md"
HEAD = "| Event | Level | Means | Keys |\n|---|---|---|---|\n"
LEVELS = ("debug", "info", "warning", "error", "critical")
NAME = re.compile(r"[a-z_]+\.[a-z_]+")
LOGGERS = {"log", "_log", "logger", "structlog.get_logger()"}
GIVEN = {
    # Events that a caller names, by the function or class that logs them, with the argument.
    "_log_summary": 0,
    "forward_log": 2,
    "JsonLines": "ended",
    "Outage": "subject",
}


@dataclass
class Event:
    levels: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


@cache
def events():
    """Return every event by its name."""
    trees = [
        ast.parse(path.read_text())
        for package in ("keeper", "incentives", "programs", "state")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]
    found: dict[str, Event] = {}
    templates: dict[str, list[tuple[str, set[str]]]] = {}
    for tree in trees:
        for function, call in _log_calls(tree):
            level = {"exception": "error", "log": "warning"}.get(call.func.attr, call.func.attr)
            keys = {key.arg for key in call.keywords if key.arg}
            for name in _names(call.args[0]):
                event = found.setdefault(name, Event())
                event.levels.add(level)
                event.keys |= keys
            if not _names(call.args[0]):
                templates.setdefault(function, []).append((ast.unparse(call.args[0]), level, keys))
    for tree in trees:
        for call in ast.walk(tree):
            if isinstance(call, ast.Call):
                for user, given in _given(call):
                    _fill(found, templates, user, given)
    return dict(sorted(found.items()))


def _log_calls(tree) -> Iterator[tuple[str, ast.Call]]:
    owners = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for inner in ast.walk(node):
                # The outermost class, or the function itself where there is none.
                if id(inner) not in owners or isinstance(
                    node, ast.FunctionDef | ast.AsyncFunctionDef
                ):
                    owners.setdefault(id(inner), node.name)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {*LEVELS, "exception", "log"}
            and ast.unparse(node.func.value) in LOGGERS
        ):
            call = node
            if node.func.attr == "log":  # the level comes first
                call = ast.Call(func=node.func, args=node.args[1:], keywords=node.keywords)
            yield owners.get(id(node), ""), call


def _names(argument) -> list[str]:
    if isinstance(argument, ast.Constant):
        return [argument.value]
    if isinstance(argument, ast.IfExp):
        return [*_names(argument.body), *_names(argument.orelse)]
    return []


def _given(call) -> Iterator[tuple[str, str]]:
    """Yield which of the functions that log is called, or started, with which event."""
    callee = ast.unparse(call.func)
    arguments = call.args
    if callee.endswith("start_soon"):
        callee, arguments = ast.unparse(arguments[0]), arguments[1:]
    if callee in GIVEN:
        place = GIVEN[callee]
        if isinstance(place, str):
            found = [key.value for key in call.keywords if key.arg == place]
        else:
            found = arguments[place : place + 1]
        yield from ((callee, each.value) for each in found if isinstance(each, ast.Constant))


def _fill(found, templates, user, given) -> None:
    for written, level, keys in templates[user]:
        ending = written.rpartition("}")[2].strip("'\"") if written.startswith("f") else ""
        event = found.setdefault(given + ending, Event())
        event.levels.add(level)
        event.keys |= keys


def meanings():
    """Return what the page says that events mean."""
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\|(.*)\|[^|]*\|$", PAGE.read_text(), re.MULTILINE)
    return {name: text.strip() for name, text in rows}


def table(said):
    """Return the page's table."""
    lines = []
    for name, event in events().items():
        levels = ", ".join(sorted(event.levels, key=LEVELS.index))
        keys = " ".join(f"`{key}`" for key in sorted(event.keys))
        lines.append(f"| `{name}` | {levels} | {said.get(name, '')} | {keys} |\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    before, _, _ = PAGE.read_text().partition(HEAD)
    PAGE.write_text(before + table(meanings()))
