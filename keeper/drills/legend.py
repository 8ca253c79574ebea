"""What the lines, marks and colours of a picture mean: only those that are on it.

Core.
"""

from keeper.drills.markup import Markup, tag
from keeper.drills.model import ActionKind
from keeper.drills.story import CLASSES, Story, may_post, rank_of
from keeper.drills.timeline import source_style


def legend(story: Story, id_: str) -> Markup:
    """List what is on a story's picture, whose `id_` names the stripes."""
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
    if any(each.price_e6 is None for each in story.truths):
        nobody = tag("rect", class_="unknowable", x=0, y=0, width=28, height=14)
        entries.append(((nobody,), "nobody can know"))
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
        (_class_swatch(each, id_), _class_words(each)) for each in CLASSES if each in classes
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


def _class_swatch(price_class: str, id_: str) -> tuple[Markup, ...]:
    box = {"x": 4, "y": 1, "width": 20, "height": 12}
    colour = tag("rect", class_=f"class-{price_class}", **box)
    if may_post(price_class):
        return (colour,)
    return colour, tag("rect", fill=f"url(#{id_}-hatch)", **box)


def _line(class_: str) -> Markup:
    return tag("path", class_=class_, d="M0 7H28")
