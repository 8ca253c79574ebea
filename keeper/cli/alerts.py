"""`keeper alerts`: what fires, who has taken it, what was told, and whether telling works."""

import getpass
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import httpx
import trio

from keeper.cli.check import CONFIG_OPTION
from keeper.cli.cluster_options import JSON_OPTION
from keeper.cli.refusal import Refusal
from keeper.config import Config, load_config
from keeper.monitor import messages
from keeper.monitor.alert_store import FILE_NAME, AlertStore
from keeper.monitor.alerts import Alert, Notice, NoticeKind
from keeper.monitor.level import Level
from keeper.monitor.rule import ESCALATE_AFTER_S, Rule
from keeper.monitor.rules import rules_for
from keeper.monitor.sink_config import titled
from keeper.monitor.sinks import SinkError, open_sink
from keeper.sandbox.past_chains import SUBFOLDER
from programs.terminal import echo

EXIT_FAILED: Final = 1
_HISTORY: Final = 50
_PREFIX_MIN: Final = 4

_EXAMPLES = """\b
Examples:
  keeper alerts list
  keeper alerts ack 9f2c41aa07 --by anna
  keeper alerts history --json
  keeper alerts rules
  keeper alerts test-sink slack
"""


@click.group("alerts", epilog=_EXAMPLES)
def alerts_group() -> None:
    """See which alerts fire, take one, look back, and try whether a sink is told."""


@alerts_group.command("list")
@CONFIG_OPTION
@JSON_OPTION
def list_command(config_path: Path, *, as_json: bool) -> None:
    """List the alerts that fire, the worst first, as they were last told."""
    found = sorted(_store(load_config(config_path)).firing(), key=lambda alert: -alert.level.rank)
    if as_json:
        echo(json.dumps({"alerts": [messages.as_json(alert) for alert in found]}))
        return
    if not found:
        echo("no alert fires")
        return
    echo("\n\n".join(_told(alert) for alert in found))


@alerts_group.command("ack")
@click.argument("alert_id", metavar="ID")
@click.option("--by", help="Who has taken it.  [default: your login]")
@CONFIG_OPTION
def ack_command(alert_id: str, by: str | None, config_path: Path) -> None:
    """Take an alert: it does not rise any more, and everybody is told who has it.

    ID is the alert's, or the first four digits of it or more.
    """
    store = _store(load_config(config_path))
    found = [alert for alert in store.firing() if alert.fingerprint.startswith(alert_id.lower())]
    if len(alert_id) < _PREFIX_MIN or len(found) != 1:
        raise Refusal(
            f"{alert_id} names {len(found)} of the alerts that fire, expected one: `keeper alerts list` shows their IDs"
        )
    name = (by or getpass.getuser()).strip()
    if not name or not store.acknowledge(found[0].fingerprint, name):
        raise Refusal(f"{alert_id} could not be taken: it has ended meanwhile, or --by is empty")
    echo(f"{found[0].rule} is taken by {name}: {found[0].summary}")


@alerts_group.command("history")
@CONFIG_OPTION
@JSON_OPTION
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=_HISTORY,
    show_default=True,
    help="How many notices.",
)
def history_command(config_path: Path, count: int, *, as_json: bool) -> None:
    """List what people were told, the newest first, and which sink has it."""
    found = _store(load_config(config_path)).history(count)
    if as_json:
        listed = [
            messages.generic(past.notice)
            | {
                "deliveries": [
                    {"sink": sink, "state": state, "words": words}
                    for sink, state, words in past.deliveries
                ]
            }
            for past in found
        ]
        echo(json.dumps({"notices": listed}))
        return
    for past in found:
        told = ", ".join(f"{sink} {state}" for sink, state, _words in past.deliveries)
        at = _clock(past.notice.wall_s)
        echo(f"{at}  {messages.line(past.notice)}  [{told or 'told nobody'}]")


@alerts_group.command("rules")
@CONFIG_OPTION
@JSON_OPTION
def rules_command(config_path: Path, *, as_json: bool) -> None:
    """List every rule: level, times, and the question it asks, as PromQL."""
    config = load_config(config_path)
    rules = rules_for(config.cluster.slot_ms / 1_000)
    if as_json:
        echo(json.dumps({"rules": [_rule(rule) for rule in rules]}))
        return
    for rule in rules:
        echo(
            f"{rule.name}: {rule.level}, after {rule.for_s:g} s, until it is over for {rule.keep_s:g} s"
        )
        echo(f"  {rule.expression.promql()}")


@alerts_group.command("test-sink")
@click.argument("name")
@CONFIG_OPTION
def test_sink_command(name: str, config_path: Path) -> None:
    """Tell one sink of an alert that is none, and at once that it is over.

    NAME is the sink's in keeper.toml. Exit code 1: it was not taken, for the reason told.
    """
    settings = titled(load_config(config_path).monitor.sinks)
    chosen = [each for each in settings if each.title == name]
    if not chosen:
        known = ", ".join(each.title for each in settings) or "none"
        raise Refusal(f"no sink is called {name}, keeper.toml has: {known}")

    async def tell() -> None:
        async with httpx.AsyncClient(timeout=None, follow_redirects=False) as client:  # noqa: S113 - the sink's deadline
            sink = open_sink(chosen[0], client)
            for kind in (NoticeKind.FIRED, NoticeKind.RESOLVED):
                with trio.fail_after(sink.deadline_s):
                    await sink.tell(_trial(kind))

    try:
        trio.run(tell)
    except (SinkError, trio.TooSlowError) as error:
        words = str(error) or f"not done after {chosen[0].deadline_s:g} s"
        echo(f"keeper: {name} did not take it: {words}", err=True)
        raise SystemExit(EXIT_FAILED) from error
    echo(f"{name} took a trial alert and its end")


def _told(alert: Alert) -> str:
    labels = ", ".join(f"{name} {value}" for name, value in alert.labels.items())
    return "\n".join(
        (
            f"{alert.fingerprint}  {str(alert.level).upper()}  {alert.rule}  {labels}".rstrip(),
            f"  {alert.summary}",
            f"  since {_clock(alert.since_wall_s)}, taken by {alert.acknowledged_by or 'nobody'}",
            f"  the keeper: {alert.already_did}",
            f"  what to do: {alert.runbook}",
        )
    )


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "name": rule.name,
        "level": str(rule.level),
        "for_s": rule.for_s,
        "keep_s": rule.keep_s,
        "escalate_after_s": ESCALATE_AFTER_S.get(rule.level),
        "promql": rule.expression.promql(),
        "summary": rule.summary,
        "already_did": rule.already_did,
        "runbook": rule.runbook,
    }


def _trial(kind: NoticeKind) -> Notice:
    now_s = time.time()
    alert = Alert(
        rule="trial",
        level=Level.EMERGENCY,  # whatever the sink's level_min is
        since_wall_s=now_s,
        told_wall_s=now_s,
        value=0.0,
        summary="this is a trial: nothing is wrong",
        already_did="nothing, for nothing is wrong",
    )
    return Notice(kind=kind, alert=alert, wall_s=now_s)


def _store(config: Config) -> AlertStore:
    folder = config.state.folder / SUBFOLDER if config.sandbox.enabled else config.state.folder
    path = folder / FILE_NAME
    if not path.exists():
        raise Refusal(f"{path} does not exist: no monitor has run with this keeper.toml yet")
    return AlertStore(path)


def _clock(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
