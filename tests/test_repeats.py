"""The order of playing."""

from __future__ import annotations

import pytest

from gencli.errors import CorpusError
from gencli.music.repeats import MOST_BARS, Signs, play_order


def bars(text):
    """ "|: - 1 :| 2" -> signs; one word a bar: - plain, a digit an ending, with : before or behind for repeats."""
    found = []
    for word in text.split():
        ending = frozenset(int(digit) for digit in word if digit.isdigit())
        found.append(Signs(word.startswith(":"), len(word) - len(word.rstrip(":")), ending))
    return found


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("- - -", "012"),
        ("- -: -", "01012"),
        (":- -: :- -:", "01012323"),
        ("- :-: -", "0112"),
        (":-:: -", "0001"),
        (":- 1: 2 -", "010234"[:3] + "23"),
        (":- 1 1: 2 2 -", "01203" + "45"),
        (":- 13: 2: 4 -", "01" + "02" + "01" + "034"),
        (":- 1: 2: :- 1: 2", "01" + "02" + "34" + "35"),
        ("- 1: 2 - 1: 2", "01" + "02" + "34" + "35"),
        (":- 12: 3 -", "01" + "01" + "023"),
        (":- 1 2 -", "01" + "023"),
        ("1: 2", "01"),
        (":- :- -:", "01212"),
    ],
)
def test_order(text, order):
    assert "".join(map(str, play_order(bars(text)))) == order


def test_too_many_bars_are_refused_before_they_are_played():
    with pytest.raises(CorpusError, match="more than 4,096 bars; cut the tune into shorter ones"):
        play_order(bars("-: " * (MOST_BARS // 2) + "-"))
    assert len(play_order(bars("-: " * (MOST_BARS // 2)))) == MOST_BARS
