"""What a rule leaves out while the keeper drains.

Core. Once it is told to stop a keeper takes nothing in any more: what it knows of prices and of the platform gets old, and no
new work is begun. None of that is wrong, for as long as the drain may last.
"""

from keeper.monitor.expressions import Expression, figure
from state import metrics as m


def drains() -> Expression:
    """Return what holds while the keeper drains."""
    return figure(m.IS_DRAINING, service="keeper").summed() > 0
