"""incentives/rules: what instructions whose events nobody can read do to what is owed."""

import pytest

from incentives.lines import Anomaly, BoostedTrade, Code
from incentives.roots import roots_of
from incentives.rules.errors import RulebookError
from incentives.rules.rulebook import Rulebook
from incentives.unread import ALL, paying_tail, posting_tail
from programs.event_layout import REWARDS_SERIES
from programs.instructions.tags import Tag
from tests.incentives.told_events import Telling, address, balances
from tests.incentives.told_lines import MMT, SMALL, USD, amounts, begun, fold, name, of_type

TRADES = (Code.TRADE, Code.TRADE_BOOSTED)


def opened(told, wallet="alice", position="p", notional=1_000 * USD, shares=1_000):
    return told.opened(wallet, position, notional, shares)


def reasons(lines, kind):
    return [line.reason for line in of_type(lines, Anomaly) if line.kind == kind]


def test_every_unread_instruction_is_an_anomaly_and_a_line_of_the_ledger():
    told = Telling()
    lines = fold([told.genesis(), told.unread(Tag.HALT)], to=1_050)
    (reason,) = reasons(lines, "unread_instruction")
    assert reason.startswith("nobody can read what HALT told")


@pytest.mark.parametrize(("shares", "rewards"), [(ALL, []), (400, [6 * 2 * MMT]), (950, [])])
def test_an_unread_close_counts_as_told(shares, rewards):
    told = Telling()
    events = [told.genesis(), opened(told)]
    close = {"signer": address("alice"), "account": address("p"), "amount": shares}
    events.append(told.at(1_005).unread(Tag.CLOSE_POSITION, **close))
    assert amounts(fold(events, to=1_050), *TRADES) == rewards


def test_an_unread_close_of_a_chains_other_holding_is_no_close_of_its_trade():
    told = Telling()
    events = [told.genesis(), opened(told)]
    close = {"account": address("p"), "amount": ALL, "part": 1}
    events.append(told.unread(Tag.CLOSE_POSITION, **close))
    assert amounts(fold(events, to=1_050), *TRADES) == [20 * MMT]


def test_a_redemption_nobody_read_is_one_whoever_calls_it():
    told = Telling()
    events = [told.genesis(), opened(told)]
    events.append(told.unread(Tag.REDEEM, signer=address("stranger"), account=address("p")))
    assert amounts(fold(events, to=1_050), *TRADES) == []


def test_a_stranger_who_liquidates_unread_takes_no_reward_away_and_an_owner_loses_theirs():
    told = Telling()
    events = [told.genesis(), opened(told), opened(told, "bob", "q")]
    both = address("p") + address("q")
    events.append(told.unread(Tag.LIQUIDATE, signer=address("bob"), tail=both))
    lines = fold(events, to=1_050)
    assert amounts(lines, *TRADES) == [20 * MMT]
    assert "perhaps liquidated by its owner" in reasons(lines, "claim_voided")[0]


def test_a_position_that_was_liquidated_unread_may_be_opened_again():
    told = Telling()
    events = [told.genesis(), opened(told)]
    events.append(told.unread(Tag.LIQUIDATE, signer=address("bob"), tail=address("p")))
    again = fold([*events, opened(told)], to=1_050)
    assert amounts(again, *TRADES) == [20 * MMT]
    told = Telling()
    with pytest.raises(RulebookError, match="is open: an event is missing"):
        fold([told.genesis(), opened(told), opened(told)])


@pytest.mark.parametrize(("notional", "number"), [(100 * USD, 2), (100 * USD - 1, 1)])
def test_an_unread_open_earns_nothing_and_uses_up_the_number_it_took(notional, number):
    told = Telling()
    fields = {"signer": address("alice"), "account": address("p"), "amount": notional}
    events = [told.genesis(), told.unread(Tag.OPEN_POSITION, **fields)]
    events.append(opened(told, "bob", "q"))
    lines = fold(events, to=1_050)
    assert amounts(lines, *TRADES) == [20 * MMT]
    found = [(line.trade_number, line.wallet) for line in of_type(lines, BoostedTrade)]
    assert (number, name("bob")) in found
    assert len(found) == number


def test_a_chain_whose_steps_nobody_read_may_have_taken_a_number_and_nothing_else_may():
    told = Telling()
    events = [told.genesis(), told.unread(Tag.EXECUTE_CHAIN, account=address("chain"))]
    told.trades = 1
    assert amounts(fold([*events, opened(told)], to=1_050), *TRADES) == [20 * MMT]
    told.trades = 2
    with pytest.raises(RulebookError, match="found trade number 3 at slot 1000, expected 1"):
        fold([*events, opened(told)])


def test_a_bootstrap_whose_last_number_nobody_read_ends_with_the_next_trade_that_has_none():
    told = Telling()
    events = list(begun(told))[:-1]
    told.trades = 100
    events.append(told.unread(Tag.EXECUTE_CHAIN, account=address("chain")))
    events.append(told.at(1_020).added("maker", 10**6, 100 * USD, 100))
    events.append(opened(told, "bob", "q"))
    events.append(told.at(1_021).added("late", 10**6, 100 * USD, 100))
    lines = fold(events, to=1_060)
    assert len(amounts(lines, Code.MAKER_BOOSTED)) == len(amounts(lines, Code.MAKER)) == 1


@pytest.mark.parametrize("amount", [ALL, 10**6, 400_000])
def test_an_unread_removal_leaves_what_a_told_one_leaves(amount):
    def mined(*, is_told):
        told = Telling()
        events = [told.genesis(), told.added("maker", 10**6, 100 * USD, 100)]
        told.at(1_030)
        removed = 10**6 if amount == ALL else amount
        fields = {"signer": address("maker"), "amount": amount}
        events.append(
            told.removed("maker", removed)
            if is_told
            else told.unread(Tag.REMOVE_LIQUIDITY, **fields)
        )
        return balances(fold(events, to=1_100))

    assert mined(is_told=True) == mined(is_told=False)


def test_a_chain_that_is_cancelled_unread_mines_no_more_and_its_owners_own_liquidity_goes_on():
    def season(end):
        told = Telling()
        events = [told.genesis(), told.added("maker", 10**6, 100 * USD)]
        events += told.chained("maker", "chain", 10**6, 50 * USD)
        events += end(told.at(1_030))
        return amounts(fold(events, to=1_110), Code.MINING)

    (both,) = season(lambda _: [])
    (left,) = season(lambda told: [told.unread(Tag.CANCEL_CHAIN, account=address("chain"))])
    (told,) = season(lambda told: [told.removed("maker", 10**6)])
    assert told == left < both


def test_a_resolution_nobody_read_ends_mining():
    told = Telling()
    events = [told.genesis(), told.added("maker", 10**6, 100 * USD, 100)]
    events.append(told.at(1_005).unread(Tag.RESOLVE_MARKET))
    assert amounts(fold(events, to=1_110), Code.MINING, Code.MAKER_BOOSTED) == []


def test_roots_and_payments_nobody_read_are_the_ledgers_own_and_paid_once():
    told = Telling()
    events = [told.genesis(), opened(told), opened(told, "bob", "q")]
    book = Rulebook(SMALL)
    lines = [line for event in events for line in book.take(event)] + list(book.pass_slot(1_110))
    [close] = [line for line in lines if type(line).__name__ == "EpochClose"]
    [tree] = roots_of(close, SMALL.epoch_slots)
    place, leaf = (tree.epoch, tree.index), tree.rewards[0]
    post = posting_tail(*place, len(tree.rewards), tree.total, tree.root)
    told.at(1_120)
    lines += book.take(told.unread(Tag.POST_EPOCH, REWARDS_SERIES, tail=post))
    # To whom the token account belonged may be hidden: the tree says it.
    pay = paying_tail(*place, [(0, address("somebody's tokens"), leaf.amount)])
    lines += book.take(told.unread(Tag.PAY_REWARDS, REWARDS_SERIES, tail=pay))
    sums = balances(lines)
    assert sums[f"wallet/{leaf.wallet}/paid"] == leaf.amount
    again = book.take(told.unread(Tag.PAY_REWARDS, REWARDS_SERIES, tail=pay))
    assert reasons(list(again), "foreign_payout")
