"""The files that an operator installs, for the places where this keeper stands.

Edge: reads what is shipped, writes a folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from keeper.errors import MonitorError
from keeper.monitor.shipped.grafana import dashboard
from keeper.monitor.shipped.prometheus import RULE_FILE, rule_file

_UNITS: Final = ("keeper.service", "keeper-monitor.service", "incentives.service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where things are on the machine that the files are for."""

    source: Path
    """The folder with keeper's source and its .venv."""
    config: Path
    """keeper.toml."""
    user: str
    """Who runs the services; no other right than to its own state."""
    slot_s: float = 0.4
    """Nominal length of a slot on the cluster."""

    def __post_init__(self) -> None:
        """Refuse what a unit file would read as something else."""
        for name, value in (("folder", str(self.source)), ("config", str(self.config))):
            if not value.startswith("/") or any(letter in value for letter in " \t\n%\"'\\$;"):
                raise MonitorError(
                    f"{name} is {value!r}: expected an absolute path without spaces, quotes, %, $ and ;, as unit files need it"
                )
        if not self.user.replace("-", "").replace("_", "").isalnum():
            raise MonitorError(f"user is {self.user!r}: expected the name of a system user")


def shipped_files(site: Site) -> dict[str, str]:
    """Return every file's text by its path within a folder."""
    read = files("keeper.monitor.shipped").joinpath("files")
    texts = {each.name: each.read_text(encoding="utf-8") for each in read.iterdir()}
    return {
        **{
            f"systemd/{unit}": _filled(texts[unit], texts["hardening.conf"], site)
            for unit in _UNITS
        },
        "container/Containerfile": texts["Containerfile"],
        "grafana/keeper.json": json.dumps(dashboard(), indent=2) + "\n",
        "prometheus/prometheus.yml": texts["prometheus.yml"],
        f"prometheus/{RULE_FILE}": rule_file(site.slot_s),
    }


def write_files(found: Mapping[str, str], folder: Path) -> list[Path]:
    """Write files into a folder, which is made when missing.

    Raises:
        MonitorError: it cannot be written.
    """
    written = []
    for name, text in found.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise MonitorError(
                f"{path} cannot be written ({error.strerror}): name a folder that can"
            ) from error
        written.append(path)
    return written


def _filled(text: str, hardening: str, site: Site) -> str:
    for name, value in (
        ("hardening", hardening.rstrip("\n")),
        ("bin", str(site.source / ".venv" / "bin")),
        ("folder", str(site.source)),
        ("config", str(site.config)),
        ("user", site.user),
    ):
        text = text.replace(f"@{name}@", value)
    return text
