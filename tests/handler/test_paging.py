"""Pages of a list that repeat are noticed, and nothing else is mistaken for that."""

from itertools import count

import pytest

from handler import paging
from handler.paging import Place


def read(*pages: tuple[str, list[str]], first: int = 0) -> int | None:
    """Return after how many pages the list was found to repeat; None where it ends before.

    Each page is (cursor of the next, ids); after the last come the pages from `first` again.
    """
    place, most = Place(), 50 * len(pages)
    for number in range(most):
        at = number if number < len(pages) else first + (number - first) % (len(pages) - first)
        found = place.after(*pages[at])
        if found is None:
            return number + 1
        place = Place(*found)  # as whoever reads on has it
    return None


def test_list_without_repetition_is_read_to_its_end() -> None:
    place = Place()
    for number in range(300):
        following = place.after(f"c{number}", [f"ca_{number}"])
        assert following
        assert (following.cursor, following.pages) == (f"c{number}", number + 1)
        place = following


def test_page_that_names_itself_as_the_next_is_noticed_at_once() -> None:
    assert read(("c1", ["a"]), ("c1", ["b"])) == 2


@pytest.mark.parametrize(("before", "length"), [(0, 2), (1, 3), (5, 7), (40, 20)])
def test_pages_in_a_circle_are_noticed_by_their_cursors(before: int, length: int) -> None:
    total = before + length
    pages = [(f"c{number + 1}", list[str]()) for number in range(total - 1)]
    noticed = read(*pages, (f"c{before}", []), first=before)

    assert noticed
    assert noticed <= 4 * total


@pytest.mark.parametrize("length", [1, 2, 7])
def test_same_accounts_under_new_cursors_are_noticed(length: int) -> None:
    numbers, place = count(1), Place()
    for number in numbers:
        following = place.after(f"c{number}", [f"ca_{number % length}"])
        if following is None:
            break
        place = following

    assert number <= 4 * length


def test_several_empty_pages_are_not_a_repetition() -> None:
    place = Place()
    for number in range(30):
        following = place.after(f"c{number}", [])
        assert following
        place = following


def test_endless_list_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 20)

    assert Place("c18", 18).after("c19", [])
    assert Place("c19", 19).after("c20", []) is None
