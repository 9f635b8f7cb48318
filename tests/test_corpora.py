"""The bundled corpora keep what they promise."""

from __future__ import annotations

import re
import unicodedata

import pytest

from gencli.corpus import ORIGINS, bundled, read_corpus

EVERY = {corpus.name: corpus for corpus in bundled()}
CORPORA = {name: corpus for name, corpus in EVERY.items() if corpus.kind != "tunes"}  # those of lines
NAMES = sorted(name for name, corpus in CORPORA.items() if corpus.kind == "names")
LEAST = {"dinosaurs": 1300}  # of the other lists 400


def lines_of(name):
    """The lines of a corpus's file, which must be UTF-8 and end in a line end."""
    text = CORPORA[name].path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")


def test_the_corpora_are_those_promised():
    assert {"dinosaurs", "minerals", "stars", "tales"} <= CORPORA.keys()
    assert len(NAMES) >= 5
    assert CORPORA.keys() - set(NAMES) == {"tales"}
    assert EVERY.keys() - CORPORA.keys() == {"jazz"}


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_an_origin_and_true_counts(name):
    corpus = CORPORA[name]
    assert corpus.origin == ORIGINS[name]
    assert corpus.documents == len(lines_of(name))
    assert corpus.size == sum(map(len, lines_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_list_of_names_is_long_sorted_and_without_repetitions(name):
    names = lines_of(name)
    assert len(names) >= LEAST.get(name, 400)
    assert len({each.casefold() for each in names}) == len(names)
    assert names == sorted(names) or names == sorted(names, key=str.casefold)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_letters_and_what_joins_them(name):
    joints = " '\u2019-.()"
    odd = [each for each in lines_of(name) if not all(c.isalpha() or c in joints for c in each)]
    assert odd == []
    assert [each for each in lines_of(name) if each != " ".join(each.split())] == []


@pytest.mark.parametrize("name", CORPORA)
def test_no_line_has_hidden_or_decomposed_characters(name):
    for line in lines_of(name):
        assert line.isprintable(), line
        assert line == unicodedata.normalize("NFC", line)
        assert line == line.strip() != ""


def test_jazz_is_a_tune_a_file_each_with_a_title_of_its_own():
    jazz = EVERY["jazz"]
    tunes = [path.read_text(encoding="utf-8") for path in sorted(jazz.path.iterdir())]
    assert jazz.origin == ORIGINS["jazz"]
    assert (jazz.documents, jazz.size) == (len(tunes), sum(map(len, tunes)))
    assert all(tune.startswith("X:1\n") and tune.count("\nX:") == 0 for tune in tunes)
    titles = {re.search(r"^T:(.+)$", tune, re.MULTILINE)[1] for tune in tunes}
    assert len(titles) == len(tunes) >= 60


def test_dinosaurs_are_capitalised_genera_in_ascii():
    assert [name for name in lines_of("dinosaurs") if not re.fullmatch("[A-Z][a-z]+", name)] == []


def test_tales_are_prose_one_paragraph_a_line():
    paragraphs = lines_of("tales")
    words = [len(paragraph.split()) for paragraph in paragraphs]
    assert sum(words) >= 20_000
    assert len(set(paragraphs)) == len(paragraphs)
    # A paragraph, not a line of a wrapped text: it ends as a sentence does, and most have several sentences.
    assert [p for p in paragraphs if not re.search(r"[.!?][\"'\u201d\u2019]?$", p)] == []
    assert sorted(words)[len(words) // 2] >= 30


def test_sentences_of_the_tales_vary():
    sentences = [s for p in lines_of("tales") for s in re.split(r"(?<=[.!?])\s+", p)]
    assert len(set(sentences)) >= 0.98 * len(sentences)
    assert len({len(sentence.split()) for sentence in sentences}) >= 25


@pytest.mark.parametrize(("name", "mode"), [*[(name, "line") for name in NAMES], ("tales", "paragraph")])
def test_each_is_found_by_name_and_read_in_its_mode(name, mode, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = read_corpus([name])
    assert corpus.mode == mode
    assert [document.text for document in corpus.documents] == lines_of(name)
