"""docs/architecture.md names every module, as the kind it is."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("keeper", "incentives", "programs", "state")


def documented():
    """Path -> kind, of every module and folder named in a table."""
    found = {}
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[0] == "Module":
            continue
        first, *others = cells[0].split()
        folder = first[: first.rindex("/") + 1]
        for path in (first, *(folder + other for other in others)):
            assert path not in found, f"{path} is named twice"
            found[path] = cells[1]
    return found


def test_every_module_has_its_line_and_no_line_is_about_nothing():
    named = documented()
    folders = tuple(path for path in named if path.endswith("localnet/"))
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    inside = {path for path in modules if path.startswith(folders)}
    assert modules - inside == {path for path in named if path.endswith(".py")} - inside
    assert all((ROOT / path).exists() for path in named)


def test_what_the_linter_guards_as_core_is_what_is_called_core():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (core,) = [each for each in contracts["contracts"] if each["type"] == "forbidden"]
    guarded = {module.replace(".", "/") + ".py" for module in core["source_modules"]}
    assert guarded == {path for path, kind in documented().items() if kind == "core"}
