"""Every guard, in the order in which a price meets them: what is read, what is believed, what is done."""

from typing import Final

from bench.guards.acting import ACTING
from bench.guards.guard import Guard
from bench.guards.trust import TRUST
from bench.guards.venue import VENUE

GUARDS: Final[tuple[Guard, ...]] = (*VENUE, *TRUST, *ACTING)
