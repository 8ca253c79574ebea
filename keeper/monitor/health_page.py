"""Health as a person reads it in a terminal.

Edge.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_LEVEL_STYLES: Final = {
    "info": "cyan",
    "warning": "yellow",
    "critical": "bold red",
    "emergency": "bold white on red",
}


def health_page(found: Mapping[str, Any]) -> RenderableType:
    """Draw what `/health` says: the verdict, what fires, every check."""
    return Group(_verdict(found), *_alerts(found), _checks(found))


def _verdict(found: Mapping[str, Any]) -> Text:
    at = datetime.fromtimestamp(found["wall_s"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not found["is_live"]:
        verdict = Text("DEAD", "bold white on red").append(f"  {found['why_dead']}", "default")
    elif not found["is_ready"]:
        failed = sum(not check["passed"] for check in found["checks"])
        verdict = Text("NOT READY", "bold red").append(
            f"  {failed} of {len(found['checks'])} checks fail", "default"
        )
    else:
        verdict = Text("READY", "bold green")
    return verdict.append(f"\n{at}, told by {found['told_by']}", "dim")


def _alerts(found: Mapping[str, Any]) -> list[RenderableType]:
    alerts = found["alerts"]
    if alerts is None:
        return [Text("no monitor answers: nobody judges alerts", "yellow")]
    if not alerts:
        return [Text("no alert fires", "green")]
    table = Table(title="Alerts", title_justify="left", box=None, pad_edge=False)
    for heading in ("level", "rule", "for", "what", "id"):
        table.add_column(heading, overflow="fold")
    for alert in alerts:
        labels = ", ".join(f"{key} {value}" for key, value in alert["labels"].items())
        taken = f" (taken by {alert['acknowledged_by']})" if alert["acknowledged_by"] else ""
        table.add_row(
            Text(alert["level"], _LEVEL_STYLES.get(alert["level"].lower(), "default")),
            Text(f"{alert['rule']} {labels}".rstrip()),
            _length(found["wall_s"] - alert["since_wall_s"]),
            Text(f"{alert['summary']}{taken}\n{alert['already_did']}\nsee {alert['runbook']}"),
            Text(alert["fingerprint"]),
        )
    return [table]


def _checks(found: Mapping[str, Any]) -> Table:
    table = Table(title="Checks", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "check", "found"):
        table.add_column(heading, overflow="fold")
    for check in sorted(found["checks"], key=lambda each: bool(each["passed"])):
        mark = Text("ok", "green") if check["passed"] else Text("FAILS", "bold red")
        table.add_row(mark, Text(check["name"]), Text(check["words"]))
    return table


def _length(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )
