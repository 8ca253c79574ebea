from keeper.prices.omissions import Omissions


def test_a_token_is_asked_about_at_the_third_omission_in_a_row_and_ever_more_rarely():
    omissions = Omissions()
    due = [number for number in range(1, 100) if omissions.note((), ("1",))]
    assert due == [3, 6, 12, 24, 48, 96]


def test_a_book_between_starts_the_count_anew_and_what_is_followed_no_longer_is_forgotten():
    omissions = Omissions()
    omissions.note((), ("1", "2"))
    omissions.note((), ("1", "2"))
    assert omissions.note(("1",), ("2",)) == ("2",)
    omissions.note((), ("1", "2"))
    omissions.note((), ("1", "2"))
    omissions.forget_all_but({"1"})
    assert omissions.note((), ("1", "2")) == ("1",)
