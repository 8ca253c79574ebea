"""The class of one market over a whole drill, on one line.

Core.
"""

from keeper.drills.markup import Markup, tag
from keeper.drills.scales import Scale
from keeper.drills.story import CLASSES, Story, rank_of
from keeper.drills.thinning import worst_stretches


def strip(story: Story | None, title: str, id_: str) -> Markup:
    """Draw the class of a market over time on one line, as the list of all drills shows it."""
    width, height = 240, 18
    inside: list[str] = [tag("title", title, id=f"{id_}-title")]
    if story is not None:
        across = Scale(story.starts_s, story.ends_s, 0, width)
        stretches = worst_stretches(
            ((across(b.at_s), across(end), rank_of(b.price_class)) for b, end in story.held()),
            width,
        )
        inside += [
            tag(
                "rect",
                class_=f"class-{CLASSES[each.rank]}",
                x=each.starts,
                y=3,
                width=each.ends - each.starts,
                height=height - 6,
            )
            for each in stretches
        ]
        inside += [
            tag(
                "rect",
                class_="broken",
                x=across(phase.starts_s),
                y=0,
                width=max(across(phase.ends_s) - across(phase.starts_s), 1.0),
                height=2,
            )
            for phase in story.phases
            if phase.faults
        ]
        inside += [
            tag("line", class_="bad-line", x1=x, x2=x, y1=0, y2=height)
            for x in sorted({round(across(each.at_s)) for each in story.bad})
        ]
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{id_}-title",
        class_="strip",
    )
