"""Every cause there is, one for each rule, in the order of the rules."""

from typing import Final

from bench.alerts.cause import Cause
from bench.alerts.causes import endpoints, money, platform, prices, processes, rewards, work
from keeper.monitor.rules import rules_for

_FOUND: Final = {
    cause.rule: cause
    for family in (platform, prices, work, money, endpoints, processes, rewards)
    for cause in family.CAUSES
}
CAUSES: Final[tuple[Cause, ...]] = tuple(
    _FOUND[rule.name] for rule in rules_for(0.4) if rule.name in _FOUND
)
