"""keeper/own_landings.py."""

from keeper.own_landings import OwnLandings


def test_a_sight_as_old_as_our_landing_may_not_show_it_and_a_newer_one_does():
    ours = OwnLandings()
    ours.note("market", 100)
    assert [True, True, False] == [ours.hides("market", slot) for slot in (99, 100, 101)]
    assert not ours.hides("another", 0)


def test_landings_are_forgotten_once_every_sight_is_newer_so_that_months_of_markets_take_no_room():
    ours = OwnLandings()
    for slot in range(0, 100_000, 10):
        ours.note(f"market {slot}", slot)
        ours.forget(slot)
    assert len(ours) <= 101
    assert ours.hides("market 99990", 99_990)
