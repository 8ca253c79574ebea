"""One vocabulary of log events: every one is named alike, and docs/logs.md says what it means."""

import re

from tests.log_vocabulary import NAME, PAGE, events, meanings, table

NOT_LOGGED_BY_CALL = "log_lines.lost"
"""Written by the outlet itself, when lines were dropped."""


def test_every_event_is_a_noun_and_what_was_done_to_it():
    found = events()
    assert 150 < len(found)
    assert [] == [name for name in found if NAME.fullmatch(name) is None]


def test_the_page_of_logs_lists_every_event_with_its_level_and_keys_and_says_what_it_means():
    """`python -m tests.log_vocabulary` brings names, levels and keys up to date; what is new needs its sentence."""
    said = meanings()
    assert PAGE.read_text().endswith(table(said))
    assert [] == [name for name in events() if not said.get(name)]
    assert NOT_LOGGED_BY_CALL in PAGE.read_text()


def test_keys_say_their_unit_last():
    """A length of time is no bare `timeout`; an amount names what it is an amount of."""
    bare = re.compile(
        r"(timeout|delay|interval|duration|latency|amount|balance|fee|rent|size|cost)"
    )
    found = {key for event in events().values() for key in event.keys}
    assert [] == sorted(key for key in found if bare.fullmatch(key.rpartition("_")[2]))
