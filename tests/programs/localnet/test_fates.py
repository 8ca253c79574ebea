"""What may go wrong, and the dice that decide whether it does."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs.localnet.dice import Dice
from programs.localnet.fates import (
    NEEDS_ANSWER,
    ReplyFate,
    SendFate,
    SlotFate,
    reply_fate,
    return_fate,
    send_fate,
    slot_fate,
)
from programs.localnet.faults import (
    ClockFaults,
    EndpointFaults,
    FaultProfile,
    ForkFaults,
    ReplyFaults,
    SendingFaults,
    spoilage_bps,
)
from programs.localnet.profiles import PROFILE_NAMES, ProfileError, load_profile, with_settings
from programs.localnet.spoiled import SPOILAGES, spoil

DICE = Dice(1)
ANSWER = b'{"jsonrpc":"2.0","result":7,"id":1}'


def test_the_same_seed_and_key_roll_the_same_and_others_do_not():
    rolls = [Dice(seed).roll(10**9, "lost", key) for seed in (1, 2) for key in ("a", "b")]
    assert rolls == [Dice(seed).roll(10**9, "lost", key) for seed in (1, 2) for key in ("a", "b")]
    assert len(set(rolls)) == 4


def test_a_chance_is_kept_over_many_keys():
    assert sum(DICE.happens(2_500, "x", number) for number in range(10_000)) in range(2_350, 2_650)
    assert not any(DICE.happens(0, number) for number in range(100))
    assert all(DICE.happens(10_000, number) for number in range(100))


def test_without_faults_everything_goes_well():
    for number in range(50):
        assert send_fate(SendingFaults(), DICE, number) == SendFate(after_slots=(0,))
        assert reply_fate(ReplyFaults(), DICE, number) == ReplyFate()
        assert slot_fate(ForkFaults(), ClockFaults(), DICE, number, 5) == SlotFate()


def test_a_lost_transaction_never_arrives_and_a_late_one_arrives_in_time():
    assert send_fate(SendingFaults(lost_bps=10_000), DICE, "s") == SendFate(after_slots=())
    late = SendingFaults(late_bps=10_000, late_slots_max=3)
    assert {send_fate(late, DICE, key).after_slots for key in range(60)} == {(1,), (2,), (3,)}


@given(st.integers(0, 2**32), st.integers(0, 5), st.integers(0, 9), st.integers(0, 9))
def test_copies_arrive_with_or_after_the_first_one(seed, repeats, within, late):
    faults = SendingFaults(
        late_bps=5_000,
        late_slots_max=late,
        repeated_bps=10_000,
        repeats_max=repeats,
        repeat_slots_max=within,
    )
    arrivals = send_fate(faults, Dice(seed), "s").after_slots
    assert 1 <= len(arrivals) <= 1 + repeats
    assert arrivals == tuple(sorted(arrivals))
    assert arrivals[0] <= late
    assert arrivals[-1] - arrivals[0] <= within


def test_each_way_to_spoil_a_reply_happens_as_often_as_it_says():
    names = tuple(spoilage_bps(ReplyFaults()))
    assert names == SPOILAGES
    faults = ReplyFaults(**{f"{name}_bps": 500 for name in names})
    fates = [reply_fate(faults, DICE, number) for number in range(10_000)]
    for name in names:
        assert sum(fate.spoilage == name for fate in fates) in range(400, 600)
    assert sum(fate.spoilage is None for fate in fates) in range(3_300, 3_700)
    errors = [fate.is_done for fate in fates if fate.spoilage == "limited"]
    assert {True, False} == set(errors)
    assert all(fate.is_done for fate in fates if fate.spoilage in NEEDS_ANSWER)


def test_a_late_reply_is_late_within_its_bound():
    faults = ReplyFaults(late_bps=10_000, late_ms_max=5)
    assert {reply_fate(faults, DICE, key).late_ms for key in range(80)} == {1, 2, 3, 4, 5}


@given(st.integers(0, 2**32), st.integers(0, 9), st.integers(0, 9))
def test_a_fork_takes_no_more_blocks_than_there_are(slot, blocks_max, possible):
    forks = ForkFaults(fork_bps=10_000, blocks_max=blocks_max)
    fate = slot_fate(forks, ClockFaults(), DICE, slot, possible)
    assert min(1, blocks_max, possible) <= fate.fork_blocks <= min(blocks_max, possible)


def test_the_clock_jumps_both_ways_within_its_bound():
    clock = ClockFaults(jump_bps=10_000, jump_s_max=2)
    jumps = {slot_fate(ForkFaults(), clock, DICE, slot, 0).jump_s for slot in range(80)}
    assert jumps == {-2, -1, 1, 2}


def test_what_a_fork_took_back_returns_or_not():
    assert return_fate(ForkFaults(return_bps=0), DICE, "s").after_slots == ()
    always = ForkFaults(return_bps=10_000, return_slots_max=1)
    assert {return_fate(always, DICE, key).after_slots for key in range(40)} == {(0,), (1,)}


@pytest.mark.parametrize("name", SPOILAGES)
def test_a_spoiled_reply_is_never_the_answer_whole(name):
    reply = spoil(name, ANSWER, 1, 3)
    whole = reply.manner == "whole" and reply.status == 200 and reply.body == ANSWER
    assert not whole


def test_spoiled_replies_look_as_nodes_and_proxies_make_them():
    assert spoil("limited", b"", 1, 0).headers == {"retry-after": "1"}
    assert spoil("limited", b"", 1, 0).status == 429
    assert {spoil("unavailable", b"", 1, n).status for n in range(4)} == {500, 502, 503, 504}
    assert spoil("html", b"", 1, 0).media_type == b"text/html"
    assert b'"data"' not in spoil("error", b"", 1, 0).body
    assert b'"data":{"numSlotsBehind":' in spoil("error_data", b"", 1, 0).body
    assert b'"code":429' in spoil("unknown_code", b"", 1, 0).body
    assert spoil("truncated", ANSWER, 1, 0).body == ANSWER[: len(ANSWER) // 2]
    assert spoil("wrong_id", ANSWER, 1, 0).body.endswith(b'"id":"not-yours-0"}')
    assert spoil("wrong_id", b"[" + ANSWER + b"]", 1, 0).body.endswith(b'"id":"not-yours-0"}]')
    assert spoil("wrong_id", b"", 1, 0).body == b""


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SendingFaults(lost_bps=10_001), "lost_bps is 10001, expected 0 to 10000"),
        (lambda: ForkFaults(blocks_max=-1), "blocks_max is -1, expected 0 or more"),
        (lambda: FaultProfile(blockhash_blocks=0), "blockhash_blocks is 0, expected 1 to 150"),
        (lambda: FaultProfile(endpoints=(EndpointFaults(lag_blocks=600),)), "lag_blocks is 600"),
        (
            lambda: FaultProfile(replies=ReplyFaults(html_bps=6_000, cut_bps=6_000)),
            "add up to 12000 bps",
        ),
    ],
)
def test_what_no_network_could_do_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_an_endpoint_does_as_all_do_unless_it_says_otherwise():
    own = SendingFaults(lost_bps=1)
    profile = FaultProfile(
        sending=SendingFaults(lost_bps=2),
        endpoints=(EndpointFaults(), EndpointFaults(lag_blocks=3, sending=own)),
    )
    assert profile.endpoint(0).sending.lost_bps == profile.endpoint(7).sending.lost_bps == 2
    assert (profile.endpoint(1).sending, profile.endpoint(1).lag_blocks) == (own, 3)
    assert profile.endpoint(1).replies == profile.replies


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_the_profiles_that_come_along_load(name):
    profile = load_profile(name)
    assert profile.sending.lost_bps > 0
    assert profile.forks.fork_bps > 0


def test_heavy_leaves_no_fault_out():
    heavy = load_profile("heavy")
    for section in (heavy.sending, heavy.forks, heavy.replies, heavy.streams, heavy.clock):
        never = [x.name for x in fields(section) if not getattr(section, x.name)]
        assert never == []
    assert heavy.congestion.spam_per_slot > 0
    assert heavy.lag_blocks_max > 0


def test_single_settings_replace_those_of_a_profile():
    changed = with_settings(load_profile("light"), ("sending.lost_bps=7", "blockhash_blocks=9"))
    assert (changed.sending.lost_bps, changed.blockhash_blocks) == (7, 9)
    assert changed.forks == load_profile("light").forks
    assert with_settings(FaultProfile(), ("congestion.spam_cu=5",)).congestion.spam_cu == 5


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("sending.lost=3", r"sending\.lost: Unexpected keyword"),
        ("sending.lost_bps=20000", "lost_bps is 20000, expected 0 to 10000"),
        ("x", "write it as sending.lost_bps=500"),
        ("sending.lost_bps=x", "write it as sending.lost_bps=500"),
        ("blockhash_blocks.a=3", "blockhash_blocks has no settings of its own"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_words(setting, words):
    with pytest.raises(ProfileError, match=words):
        with_settings(FaultProfile(), (setting,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no fault profile at .* give one of light, heavy or the path of a TOML file"),
        ("sending = ", "is no TOML"),
        ("[sending]\nlost_bps = '3'", r"sending\.lost_bps: Input should be a valid integer"),
        ("[nothing]\nx = 1", "nothing: Unexpected keyword"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_in_words(tmp_path, text, words):
    path = tmp_path / "profile.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ProfileError, match=words):
        load_profile(str(path))
