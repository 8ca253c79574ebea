"""What one source said of one token at one moment.

Core.
"""

from dataclasses import dataclass

from keeper.prices.price import SourceName
from keeper.prices.quote import Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one source said of one token."""

    source: SourceName
    quote: Quote
    received_at_s: float
    """When it reached us, on the trio clock: ages are counted from here, never from the content's own time."""
    content_time_ms: int | None
    """The venue's stamp of the last change of the content, Unix milliseconds; None when there is none to believe."""
    is_as_it_happens: bool = False
    """It was pushed because the content changed just then, so that its stamp tells how long it was under way."""
    recorded_body: str | None = None
    """The file a replaying venue built it from; None from a real host."""

    def has_content_of(self, other: "Observation") -> bool:
        """Whether the two say the same with the same stamp: received twice, it is no sign of life."""
        return self.content_time_ms == other.content_time_ms and self.quote == other.quote
