"""Every rule there is: the one source of what operators are woken by.

Core. The monitor evaluates them once a second; `shipped/prometheus.py` prints them for a Prometheus; docs/alerts has a page
for each.
"""

from collections.abc import Iterable

from keeper.monitor.catalog import endpoints, platform, prices, processes, rewards, work
from keeper.monitor.rule import Rule

_GROUPS = (platform, prices, work, endpoints, processes, rewards)


def rules_for(slot_s: float) -> tuple[Rule, ...]:
    """Return all rules.

    Args:
        slot_s: nominal length of a slot. Where a rule compares a time with slots it asks the metric; how far back it looks,
            and how long it has to hold, are fixed by this.
    """
    return tuple(rule for group in _GROUPS for rule in group.rules(slot_s))


def ranges_s(rules: Iterable[Rule]) -> dict[str, float]:
    """Return how far back each series is looked at, seconds; those of which only the newest value counts are left out."""
    found: dict[str, float] = {}
    for rule in rules:
        for name, range_s in rule.expression.series():
            if range_s:
                found[name] = max(found.get(name, 0.0), range_s)
    return found
