"""`keeper shadow`: what a shadow would have done, beside what was done."""

import json
from pathlib import Path

import click
from rich.table import Table

from keeper.cli.terminal import Terminal
from keeper.shadow_report import Comparison, MalformedShadowError, compare
from programs.terminal import echo

_EXAMPLES = """\b
Examples:
  keeper shadow shadow.jsonl
  keeper shadow shadow.jsonl --json
"""


@click.command("shadow", epilog=_EXAMPLES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def shadow_command(file: Path, *, as_json: bool) -> None:
    """Compare what `keeper run --shadow FILE`, beside a keeper at work, would have sent with what landed.

    A job is met when a transaction with the same instruction named its target within 150 slots; `later` counts slots from the
    shadow's decision to that landing, negative where the chain was first. `missed` are transactions of our key that no
    decision of the shadow explains.
    """
    try:
        with file.open(errors="replace") as lines:
            found = compare(lines)
    except MalformedShadowError as error:
        raise click.ClickException(f"{file} is no shadow: {error}") from error
    if as_json:
        echo(json.dumps(found.as_json()))
    else:
        _show(found)


def _show(found: Comparison) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = (
        "lane",
        "tx",
        "jobs",
        "by our key",
        "by others",
        "unmet",
        "later p50",
        "p99",
        "refused",
    )
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
    for name, lane in sorted(found.lanes.items()):
        counts = (lane.transactions, lane.jobs, lane.met_by_our_key, lane.met_by_others, lane.unmet)
        later = (lane.slots_later_p50, lane.slots_later_p99)
        table.add_row(
            name,
            *map(str, counts),
            *("-" if slots is None else f"{slots:+d}" for slots in later),
            str(lane.simulated_badly),
        )
    console = Terminal(highlight=False)
    if found.lanes:
        console.print(table)
    else:
        console.print("nothing would have been sent")
    # Whole signatures, however narrow the terminal: they are there to be copied.
    console.print(
        f"missed: {found.missed_count} transactions of our key",
        *found.missed,
        sep="\n  ",
        soft_wrap=True,
    )
    if found.lines_unread:
        console.print(f"{found.lines_unread} lines could not be read")
