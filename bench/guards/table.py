"""Every guard, in the order in which a price meets them last: what is believed first."""

from typing import Final

from bench.guards.guard import Guard
from bench.guards.trust import TRUST

GUARDS: Final[tuple[Guard, ...]] = TRUST
