"""Tables and live views on a terminal that does only what they ask of it."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from programs.plain_text import shown_page


class Terminal(Console):
    """A console on which control characters in what is shown are shown, and not executed."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does; its own controls are segments of their own kind."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(shown_page(segment.text), segment.style)
