"""Someone who writes down what a source says."""

import trio


class Notes:
    """A hearing that believes nothing and forgets nothing."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def observe(self, token_id, observation):
        self.said.append(("observe", token_id, observation.quote.price_e6))

    def lose(self, source, tokens):
        self.said.append(("lose", source, tuple(tokens)))

    def close(self, token_id, *, is_closed):
        self.said.append(("close", token_id, is_closed))

    def succeed(self, source):
        self.said.append(("succeed", source))

    def fail(self, source, error):
        self.said.append(("fail", source, error.kind))

    def miss(self, source):
        self.said.append(("miss", source))

    def refuse(self, source, reason, **_details):
        self.said.append(("refuse", source, reason))

    async def wait_clock_doubted(self):
        await trio.sleep_forever()

    def note_clock_skew(self, skew_ms):
        self.said.append(("skew", skew_ms))

    def note_restart(self, source, why):
        self.said.append(("restart", source, why))

    def take_doubted(self, *_asked):
        return ()

    def of(self, *kinds):
        """Return what was said of these kinds, in order."""
        return [one for one in self.said if one[0] in kinds]
