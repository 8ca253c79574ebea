"""Whatever the sources say, and in whatever order: what a price may never be."""

from believing import AT_CLOB, RULES, TOKEN, after
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.circumstances import CALM, Circumstances
from keeper.prices.fallback import close, lose, observe, withdraw
from keeper.prices.judgement import due_s, judge
from keeper.prices.observation import Observation
from keeper.prices.price import CLASS_ORDER, PERMISSIONS, PriceClass, Source
from keeper.prices.quote import quote

LIVE = (Source.STREAM, Source.CLOB)
books = st.tuples(
    st.none() | st.integers(1, 999).map(lambda tick: tick * 1_000),
    st.none() | st.integers(1, 999).map(lambda tick: tick * 1_000),
    st.none() | st.integers(0, 1_000).map(lambda tick: tick * 1_000),
)
near = st.integers(-60, 60).map(lambda tick: (500_000 + tick * 1_000, 502_000 + tick * 1_000, None))
waits = st.sampled_from([0.0, 0.05, 0.4, 1.0, 2.0, 5.0, 10.0, 30.0, 61.0, 301.0])
stamps = st.none() | st.integers(0, 6).map(lambda n: n * 1_000)
says = st.tuples(
    st.just("says"), st.sampled_from([*LIVE, Source.GAMMA]), near | books, stamps, waits
)
losses = st.tuples(
    st.sampled_from(["lost", "asked"]),
    st.sampled_from([*LIVE, Source.GAMMA]),
    st.none(),
    st.none(),
    waits,
)
quiet = st.tuples(st.just("quiet"), st.none(), st.none(), st.none(), waits)
worlds = st.tuples(
    st.just("venue"),
    st.sampled_from(
        [
            CALM,
            Circumstances(skew_ms=60_000, clock_read_at_s=0),
            Circumstances(skew_ms=0, clock_read_at_s=1_000),
        ]
    ),
    st.none(),
    st.none(),
    waits,
)
histories = st.lists(says | says | says | losses | quiet | worlds, max_size=30)


class Told:
    """Replays a history, and remembers what every source really said."""

    def __init__(self):
        self.state, self.now_s, self.about = TOKEN, 0.0, CALM
        self.books, self.standing, self.good = [], {}, {}

    def steps(self, history):
        """Yield each verdict with whether a believed source has just brought news."""
        for kind, source, book, stamp_ms, wait_s in history:
            self.now_s += wait_s
            if kind == "says":
                said = Observation(
                    source=source,
                    quote=quote(*book),
                    received_at_s=self.now_s,
                    content_time_ms=stamp_ms,
                )
                self.books.append((source, book, self.now_s))
                self.standing[source] = said
                self.state = observe(self.state, said, RULES, self.about)
            elif kind == "lost":
                self.state = lose(self.state, RULES.place_of(source))
                self.standing.pop(source, None)
            elif kind == "asked":
                self.state = withdraw(self.state, RULES.place_of(source), self.now_s)
                self.standing.pop(source, None)
            elif kind == "venue":
                self.about = source
            verdict = judge(self.state, RULES, self.now_s, self.about)
            self.state = verdict.state
            yield kind, verdict


@given(histories)
def test_a_price_lies_in_a_book_that_its_source_sent_when_it_says_so(history):
    told = Told()
    for _, verdict in told.steps(history):
        price = verdict.price
        if price is None:
            continue
        sent = [
            book
            for source, book, at_s in told.books
            if at_s == price.received_at_s
            and (price.source is Source.LAST_GOOD or source == price.source)
        ]
        assert any(
            (bid is None or bid <= price.price_e6) and (ask is None or price.price_e6 <= ask)
            for bid, ask, _ in sent
        )


@given(histories)
def test_a_valid_price_is_fresh_sound_from_a_live_source_and_contradicted_by_nobody(history):
    told = Told()
    for _, verdict in told.steps(history):
        price = verdict.price
        if price is None or price.price_class is not PriceClass.VALID:
            continue
        said = told.standing[price.source]
        assert price.source in LIVE
        assert (price.price_e6, price.received_at_s) == (said.quote.price_e6, said.received_at_s)
        assert said.quote.is_sound
        # Added as the rules add it: a difference would round the other way now and then.
        assert told.now_s <= price.received_at_s + RULES.fresh_s[RULES.place_of(price.source)]
        for source in LIVE:
            other = told.standing.get(source)
            if other is None or not other.quote.is_sound:
                continue
            if verdict.state.sources[RULES.place_of(source)].is_stuck:
                continue  # Asked for its book anew, it repeated the old one: it contradicts nobody.
            if source is Source.CLOB and told.now_s > other.received_at_s + RULES.fresh_s[AT_CLOB]:
                continue
            gap_e6 = abs(other.quote.price_e6 - price.price_e6)
            assert gap_e6 <= 50_000
            assert price.band_e6 >= said.quote.half_spread_e6 + gap_e6


@given(histories)
def test_nothing_is_acted_on_past_150_slots(history):
    told = Told()
    for _, verdict in told.steps(history):
        price = verdict.price
        if price is None:
            continue
        if PERMISSIONS[price.price_class].post or PERMISSIONS[price.price_class].liquidate:
            assert told.now_s <= price.received_at_s + 60
        if price.source is Source.LAST_GOOD and told.now_s > price.received_at_s + 300:
            assert price.price_class in (PriceClass.HALTED, PriceClass.UNCERTAIN)


@given(histories)
def test_no_class_improves_without_news(history):
    told, before = Told(), None
    for kind, verdict in told.steps(history):
        if verdict.price is None:
            continue
        now = CLASS_ORDER[verdict.price.price_class]
        if before is not None and kind != "says":
            assert now >= before
        before = now


@given(histories)
def test_a_source_that_lost_its_trust_has_it_back_after_three_probes_and_no_sooner(history):
    told, probes = Told(), {}
    before = told.state
    for kind, verdict in told.steps(history):
        for place, known in enumerate(verdict.state.sources):
            was = before.sources[place]
            if not known.is_trusted and was.is_trusted:
                probes[place] = 0
            if kind == "says":
                probes[place] = probes.get(place, 0) + 1
            if known.is_trusted and not was.is_trusted:
                assert probes[place] >= 3
        before = verdict.state


@given(histories, waits)
def test_between_two_boundaries_time_changes_nothing(history, wait_s):
    told = Told()
    for _ in told.steps(history):
        pass
    due = due_s(told.state, RULES, told.now_s)
    until_s = min(due, told.now_s + wait_s)
    then = judge(told.state, RULES, until_s, told.about)
    now = judge(told.state, RULES, told.now_s, told.about)
    assert (then.price, then.reason) == (now.price, now.reason)


@given(histories)
def test_while_the_engine_restarts_no_book_is_believed(history):
    told = Told()
    told.about = Circumstances(restarting_until_s=100.0)
    for kind, verdict in told.steps([one for one in history if one[0] != "venue"]):
        if told.now_s < 100 and verdict.price is not None:
            assert verdict.price.source in (Source.GAMMA, Source.LAST_GOOD)
            assert verdict.price.price_class is not PriceClass.VALID
        assert kind != "venue"


@given(histories)
def test_a_closed_market_is_never_acted_on(history):
    told = Told()
    told.state = close(told.state, RULES, 0.0, is_closed=True)
    for _, verdict in told.steps(history):
        assert verdict.price is None or not PERMISSIONS[verdict.price.price_class].post


@given(st.lists(st.tuples(near | books, stamps, waits), min_size=1, max_size=20))
def test_one_source_alone_never_moves_a_fresh_price_far_in_less_than_three_polls(words):
    state, now_s, valid, far = TOKEN, 0.0, None, []
    for book, stamp_ms, wait_s in words:
        now_s += wait_s
        said = Observation(
            source=Source.CLOB, quote=quote(*book), received_at_s=now_s, content_time_ms=stamp_ms
        )
        state = after(said, state=state)
        price = judge(state, RULES, now_s).price
        if price is None or price.price_class is not PriceClass.VALID:
            far.append(now_s)
            continue
        is_jump = (
            valid is not None
            and now_s - valid.received_at_s <= 60
            and abs(price.price_e6 - valid.price_e6) > RULES.jump_e6
        )
        if is_jump:
            assert len(far) >= 2
            assert now_s - far[0] > 0.8 - 1e-9  # three polls are two slots apart
        valid, far = price, []
