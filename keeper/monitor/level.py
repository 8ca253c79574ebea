"""How bad an alert is.

Core. Source: SPEC section 6.
"""

from enum import StrEnum


class Level(StrEnum):
    """Four levels, the least first."""

    INFO = "info"
    """Worth knowing, nobody has to be woken."""
    WARNING = "warning"
    """Look at it today."""
    CRITICAL = "critical"
    """Money is at risk soon: look at it now."""
    EMERGENCY = "emergency"
    """The keeper does not keep, or nobody knows a price: whoever sleeps is woken."""

    @property
    def rank(self) -> int:
        """Return 0 for the least."""
        return _ORDER.index(self)

    def raised(self) -> "Level":
        """Return the level one step up; the highest stays."""
        return _ORDER[min(self.rank + 1, len(_ORDER) - 1)]

    def lowered(self) -> "Level":
        """Return the level one step down; the lowest stays."""
        return _ORDER[max(self.rank - 1, 0)]


_ORDER = tuple(Level)
