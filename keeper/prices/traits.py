"""What the judge knows of a source before it has said a word.

Core. A source is a name, a rank and a few habits; the judge treats every source by these alone, so that one more needs
no change of the rules.
"""

from dataclasses import dataclass

from keeper.prices.price import PriceClass, SourceName


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTraits:
    """One source, as the judge sees it."""

    name: SourceName
    rank: int
    """Best first: the live source of least rank leads. No two sources share one."""
    best_class: PriceClass
    """VALID, or DEGRADED for a source that may carry on in an outage but never better than that."""
    fresh_ms: int
    """How long one quote leads without another."""
    is_pushed: bool = False
    """It speaks when something happens: its quiet is no loss. A polled source that is quiet is lost."""
    is_compared: bool = True
    """It takes part in the cross-check. A cached source does not: it may differ and be honest."""
    is_of_engine: bool = True
    """It shows the books of the venue's matching engine, which are not believed for a while after a restart."""

    def __post_init__(self) -> None:
        """Refuse what the judge could not act by."""
        if self.best_class not in (PriceClass.VALID, PriceClass.DEGRADED):
            raise ValueError(
                f"best_class of {self.name} is {self.best_class}, wanted valid or degraded: "
                "a source that may never be acted on is no source"
            )
        if self.fresh_ms < 1:
            raise ValueError(f"fresh_ms of {self.name} is {self.fresh_ms}, wanted 1 or more")
