"""The same drill twice, bit for bit: chance taken out of a process that plays one.

Shell, and for a process of its own only: it decides the draws of everything in it.
"""

import random

import trio


def make_repeatable(seed: int) -> None:
    """Let the order of tasks and every draw of jitter follow from the seed.

    trio shuffles who runs first in each round of its loop, so that no program comes to rely on an order. It offers no
    public way to stop that; these are the two names that its own hook for hypothesis, and pytest-trio, set.
    """
    random.seed(seed)
    trio._core._run._r.seed(seed)  # noqa: SLF001 - see above
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # noqa: SLF001 - see above
