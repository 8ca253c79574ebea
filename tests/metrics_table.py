"""The table of figures in docs/monitor.md; `python -m tests.metrics_table` brings it up to date."""

from pathlib import Path

from state.metrics import METRICS

PAGE = Path(__file__).parents[1] / "docs/monitor.md"
HEAD = "| Name | Labels | |\n|---|---|---|\n"


def table():
    """Return every metric as a row."""
    rows = (
        f"| `{metric.name}` | {' '.join(f'`{label}`' for label in metric.labels)} | {metric.help} |\n"
        for metric in METRICS
    )
    return HEAD + "".join(rows)


if __name__ == "__main__":
    before, _, _ = PAGE.read_text().partition(HEAD)
    PAGE.write_text(before + table())
