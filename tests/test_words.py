"""Text as words: where it is split, what spacing costs, and that nothing is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.words.running import GLUE, JOINT, LONGEST, REMEMBERED, RunningText
from gencli.words.split import START
from gencli.words.tokenised import Tokenised

CASES = {
    'said, "Come in." - he': ["said", ",", '"', "Come", "in", ".", f'{GLUE}"', " -", "he"],
    "It's the dogs' 'tis, isn't it?": ["It's", "the", "dogs", f"{GLUE}'", "'", "tis", ",", "isn't", "it", "?"],
    "a well-known (and old) $1,000.50 bill": [
        "a", "well", "-", "known", "(", "and", "old", ")", "$", "1,000.50", "bill",
    ],
    "It is 10:30: 50% off 4th, 3.5mm.": ["It", "is", "10:30", ":", "50", "%", "off", "4th", ",", "3.5mm", "."],
    "- Who? -- me...": ["-", "Who", "?", "--", "me", "..."],
    "\"'No,' he said.\"": ['"', "'", "No", ",", f"{GLUE}'", "he", "said", ".", f'{GLUE}"'],
    "wait--no": ["wait", f"{GLUE}--", "no"],
    "one\n\n\ttwo  three \n": ["one", "\n", "\n", "\t", "two", "  ", "three", " ", "\n"],
    "snake_case and/or https://x.org": ["snake_case", "and", "/", "or", "https", ":", "/", "/", "x", ".", f"{GLUE}org"],
    "\u201cYes,\u201d she said\u2014don\u2019t": [
        "\u201c", "Yes", ",", "\u201d", "she", "said", "\u2014", "don\u2019t",
    ],
    "\u00ab oui \u00bb": ["\u00ab", " oui", " \u00bb"],
    "\u6211\u7231Python\u3002\u597d": ["\u6211", "\u7231", "Python", "\u3002", "\u597d"],
    "\u0939\u093f\u0928\u094d \u092e\u0947\u0902": ["\u0939\u093f\u0928\u094d", "\u092e\u0947\u0902"],
    "e\u0301te\u0301 nai\u0308ve": ["e\u0301te\u0301", "nai\u0308ve"],
    "a\0b \ufffd": ["a", f"{GLUE}\0", "b", "\ufffd"],
    f"{GLUE} {GLUE}{GLUE}": [GLUE, GLUE, f"{GLUE}{GLUE}"],
    "": [],
    " ": [" "],
    " a ": [" a", " "],
}  # fmt: skip
PIECES = [
    *"aZ9_'\"`.,;:!?()[]{}-/\\*$%@#&+<>|~^=", *("--", "...", "the", "I'm", "1.5", " ", " ", "  ", "\n", "\t", "\r"),
    *"\0\x1f\xa0\u2003\u2028\u0301\u200d\u2019\u201c\u201d\u2014\u00bf\u4e2d\u3002\uff0c\u30fc", GLUE, "\u0e01\u0e33",
    *"\ufffd\U0001f600\U00020000\ud800",
]  # fmt: skip
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.text(st.characters(codec=None)))


@pytest.mark.parametrize("text", CASES)
def test_what_the_marks_of_a_text_are(text):
    split = RunningText()
    assert split.marks(text) == CASES[text]
    assert "".join(split.spelled(CASES[text])[0]) == text


@settings(deadline=None, derandomize=True, max_examples=500)
@given(texts)
def test_running_text_comes_back_whatever_it_is(text):
    split = RunningText()
    marks = split.marks(text)
    assert "".join(split.spelled(marks)[0]) == split.normalised(text) == text
    # What a mark says of spacing can be said by simpler marks, all of them or any of them.
    simple = [part for mark in marks for part in split.parts(mark)]
    assert "".join(split.spelled(simple)[0]) == text
    mixed = [part for n, mark in enumerate(marks) for part in (split.parts(mark) if n % 2 else (mark,))]
    assert "".join(split.spelled(mixed)[0]) == text
    assert all(split.parts(part) == (part,) for part in simple)
    assert all(split.word(part) == part for part in simple)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(texts, st.integers(0, 40))
def test_spelling_goes_on_where_it_stopped(text, at):
    split = RunningText()
    marks = split.marks(text)
    head, state = split.spelled(marks[:at])
    tail, end = split.spelled(marks[at:], state)
    assert (head + tail, end) == split.spelled(marks)
    assert split.spelled([], state) == ([], state)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(texts, texts)
def test_what_follows_changes_nothing_before_it(text, more):
    # White space cannot become part of the last word of a text, nor of a run at its end.
    split = RunningText()
    marks = split.marks(text.rstrip(" "))
    assert split.marks(text.rstrip(" ") + "\n" + more)[: len(marks)] == marks


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(st.sampled_from([*RunningText().marks("".join(PIECES)), JOINT, " ", f"{GLUE}a", ' "', f'{GLUE}"'])))
def test_any_marks_can_be_spelled(marks):
    # A model may write what no text would be read as.
    pieces, state = RunningText().spelled(marks)
    assert len(pieces) == len(marks)
    assert all(RunningText().word(mark) in piece for mark, piece in zip(marks, pieces, strict=True))
    assert 0 <= state <= 3


def test_only_unusual_spacing_costs_anything():
    text = 'He said, "Come in (now), please." Then: "No!" It was 5 o\'clock; we left. \'Really?\' she asked.'
    marks = RunningText().marks(text)
    assert len(marks) == len(re.findall(r"\w+(?:'\w+)?|[^\w\s]", text))
    assert sum(mark[0] in f" {GLUE}" for mark in marks) == 3  # the quotes that close


def test_a_space_at_the_end_of_a_prompt_belongs_to_the_next_word():
    split = RunningText()
    assert [split.opening(text) for text in ("a ", "a", "", " ", "a  ", "a\n ", "a\n")] == [
        "a", "a", "", "", "a  ", "a\n ", "a\n",
    ]  # fmt: skip
    assert [Tokenised().opening(text) for text in ("a  ", "a\n", "")] == ["a", "a\n", ""]


def test_labels_are_printable():
    split = RunningText()
    marks = ["the", JOINT, " ", "   ", " -", f'{GLUE}"', "\n", "\t", "\0", "\u200d", "\xa0"]
    assert [split.label(mark) for mark in marks] == [
        "the", "\u203f", "\u2423", "\u2423\u2423\u2423", "\u2423-", '\u203f"', "\\n", "\\t", "\\x00", "\\u200d",
        "\\xa0",
    ]  # fmt: skip
    assert Tokenised().label("a\u200bb") == "a\\u200bb"


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "a'" * 500_000, "1," * 500_000, "a\u0301" * 500_000, " " * 10**6, '"' * 10**6]
)
def test_a_line_of_a_megabyte(text):
    split = RunningText()
    assert "".join(split.spelled(split.marks(text))[0]) == text


def test_what_is_remembered_is_bounded():
    split = RunningText()
    split.marks(" ".join(f"w{n}" for n in range(REMEMBERED + 1000)))
    split.marks("x" * (LONGEST + 1))
    assert [len(table) <= REMEMBERED for table in split._reading] == [True] * 4
    assert max(len(piece) for table in split._reading for piece in table) <= LONGEST


def test_tokens_are_taken_as_they_are():
    split = Tokenised()
    assert split.marks("`` I said , '' don't -- <eos> 1/2") == [
        "``",
        "I",
        "said",
        ",",
        "''",
        "don't",
        "--",
        "<eos>",
        "1/2",
    ]
    assert split.marks(" a  b\t c \n\n d\n") == ["a", "b", "c", "\n", "\n", "d", "\n"]
    assert split.normalised(" a  b\t c \n\n d\n") == "a b c\n\nd\n"
    assert split.marks("") == []


@settings(deadline=None, derandomize=True, max_examples=300)
@given(texts, st.integers(0, 20))
def test_tokens_come_back_joined_by_single_spaces(text, at):
    split = Tokenised()
    marks = split.marks(text)
    assert "".join(split.spelled(marks)[0]) == split.normalised(text)
    assert split.marks(split.normalised(text)) == marks
    head, state = split.spelled(marks[:at], START)
    tail, end = split.spelled(marks[at:], state)
    assert (head + tail, end) == split.spelled(marks)
