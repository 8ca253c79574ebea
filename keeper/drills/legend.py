"""What the lines, marks and colours of a picture mean: only those that are on it.

Core.
"""

from keeper.drills.layout import source_style
from keeper.drills.markup import Markup, tag
from keeper.drills.model import ActionKind
from keeper.drills.story import CLASSES, Story, may_post, rank_of


def legend(story: Story) -> Markup:
    """List what is on a story's picture."""
    entries: list[tuple[tuple[str, ...], str]] = [
        ((_line("truth"),), "truth"),
        *(
            ((_line(f"source {source_style(each)}"),), f"{each}: its last word")
            for each in story.sources
        ),
        (
            (tag("rect", class_="band", x=0, y=1, width=28, height=12), _line("belief")),
            "believed, with its band",
        ),
    ]
    classes = {CLASSES[rank_of(each.price_class)] for each in story.beliefs}
    if not all(map(may_post, classes)):
        entries.append(((_line("belief withheld"),), "shown, but not acted on"))
    kinds = {each.kind for each in story.actions if each.bad is None}
    if ActionKind.POST in kinds:
        entries.append(((tag("circle", class_="post", cx=14, cy=7, r=3),), "posted on chain"))
    if ActionKind.LIQUIDATE in kinds:
        diamond = tag("polygon", class_="liquidation", points="14,2 19,7 14,12 9,7")
        entries.append(((diamond,), "liquidated"))
    entries += [
        ((tag("rect", class_=f"class-{each}", x=4, y=1, width=20, height=12),), _class_words(each))
        for each in CLASSES
        if each in classes
    ]
    if any(each.faults for each in story.phases):
        entries.append(((tag("rect", class_="fault", x=0, y=0, width=28, height=14),), "broken"))
    if story.bad:
        cross = tag("path", class_="bad-cross", d="M11 4l6 6m0-6l-6 6")
        entries.append(((tag("circle", class_="bad", cx=14, cy=7, r=6), cross), "ON A BAD PRICE"))
    return tag(
        "ul",
        *(
            tag("li", tag("svg", *swatch, viewBox="0 0 28 14", aria_hidden="true"), words)
            for swatch, words in entries
        ),
        class_="legend",
    )


def _class_words(price_class: str) -> str:
    return price_class if may_post(price_class) else f"{price_class}: no action"


def _line(class_: str) -> Markup:
    return tag("path", class_=class_, d="M0 7H28")
