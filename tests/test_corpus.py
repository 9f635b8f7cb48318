"""Reading sources, dividing them into documents, splitting; and what a user is told when a source is at fault."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.config import DocumentMode
from gencli.corpus import ORIGINS, Corpus, Document, bundled, distinct, read_corpus, split
from gencli.documents import choose_mode
from gencli.errors import CorpusError, OptionError

DATA = Path(__file__).parents[2] / "shared" / "data"
NAMES = "Ada\nBea\nCleo\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file below an empty working folder and gives its name as a user would type it."""
    monkeypatch.chdir(tmp_path)

    def put(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return put


@pytest.fixture
def stdin(monkeypatch):
    """Puts bytes on standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def texts(corpus):
    return [document.text for document in corpus.documents]


def message(error):
    """The text of an error, which must be one line."""
    line = str(error.value)
    assert "\n" not in line
    return line


def expect_fault(sources, *parts, **options):
    """Reading must fail with one line that begins with the first part and holds the others."""
    with pytest.raises(CorpusError) as error:
        read_corpus(sources, **options)
    line = message(error)
    assert line.startswith(parts[0]), line
    for part in parts[1:]:
        assert part in line


# Sources


def test_a_file_of_names_is_one_document_a_line_with_its_place(write):
    corpus = read_corpus([write("some.names.txt", "  Ada \n\nBea\t\nCleo")])
    assert corpus.documents == [
        Document("Ada", "some.names.txt:1"),
        Document("Bea", "some.names.txt:3"),
        Document("Cleo", "some.names.txt:4"),
    ]
    assert (corpus.name, corpus.mode, corpus.source, corpus.skipped) == ("some.names", "line", "some.names.txt", 0)


def test_line_ends_become_lf_and_the_byte_order_mark_goes(write):
    name = write("dos.txt", b"\xef\xbb\xbfAda\r\nBea\rCleo\n")
    assert texts(read_corpus([name])) == ["Ada", "Bea", "Cleo"]
    assert texts(read_corpus([name], "stream")) == ["Ada\nBea\nCleo\n"]


def test_only_line_ends_end_a_line(write):
    text = "Ada\u2028one\nBea\x0btwo\x0c\x85three\n"  # what str.splitlines would take for line ends
    assert texts(read_corpus([write("odd.txt", text)])) == ["Ada\u2028one", "Bea\x0btwo\x0c\x85three"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "UTF_32", "u16", "cp1252"])
def test_other_encodings_on_request(write, encoding):
    name = write("names.txt", "Zoë\nBeä\n".encode(encoding))
    assert texts(read_corpus([name], encoding=encoding)) == ["Zoë", "Beä"]


def test_several_sources_follow_one_another(write, stdin):
    stdin("Øya\r\nPia\n".encode())
    corpus = read_corpus([write("b.txt", NAMES), "-", write("a.txt", "Ida")])
    assert texts(corpus) == ["Ada", "Bea", "Cleo", "Øya", "Pia", "Ida"]
    assert [document.source for document in corpus.documents][2:5] == ["b.txt:3", "stdin:1", "stdin:2"]
    assert (corpus.name, corpus.source) == ("b-stdin-a", "b.txt stdin a.txt")
    assert read_corpus([write("b.txt", NAMES)] * 5).name == "b-b-b-and-2-more"


def test_a_folder_is_read_recursively_and_sorted_without_hidden_or_binary_files(write):
    write("box/z.txt", "Zoe\nZia\n")
    write("box/m/deep.md", "Mia\n")
    write("box/a.txt", "Ada\n")
    write("box/empty.txt", "\n \n")
    write("box/tune.mid", b"MThd\0\0\0\6")
    write("box/old.txt", b"caf\xe9\n")
    write("box/.hidden.txt", "Hidden\n")
    write("box/.git/config.txt", "Hidden\n")
    Path("box/nowhere.txt").symlink_to("missing")
    for typed in ("box", "box/", "./box"):
        corpus = read_corpus([typed])
        assert texts(corpus) == ["Ada", "Mia", "Zoe", "Zia"]
        assert corpus.documents[1].source == f"{typed.rstrip('/')}/m/deep.md:1"
        assert corpus.skipped == 3  # a MIDI file, one that is not UTF-8, a dangling link
        assert corpus.name == "box"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_in_a_folder_is_skipped_unread(write):
    write("box/names.txt", NAMES)
    os.mkfifo("box/pipe")
    assert read_corpus(["box"]).skipped == 1


def test_the_working_folder_gives_its_own_name(write, monkeypatch):
    write("box/names.txt", NAMES)
    monkeypatch.chdir("box")
    corpus = read_corpus(["."])
    assert (corpus.name, corpus.documents[0].source) == ("box", "./names.txt:1")


def test_a_path_that_exists_wins_over_a_bundled_name(write):
    assert len(read_corpus(["dinosaurs"]).documents) > 1000
    write("dinosaurs", NAMES)
    assert texts(read_corpus(["dinosaurs"])) == ["Ada", "Bea", "Cleo"]


def test_bundled_corpora_are_utf_8_whatever_the_encoding(write):
    write("names.txt", NAMES)  # also an empty working folder, where no path is called stars
    assert texts(read_corpus(["stars"], encoding="utf-16")) == texts(read_corpus(["stars"]))


def test_bundled_lists_every_corpus_with_its_counts():
    found = {corpus.name: corpus for corpus in bundled()}
    assert sorted(found) == list(found)
    assert set(ORIGINS) >= {"dinosaurs", "minerals", "stars", "rivers", "mythology", "tales"}
    assert {"dinosaurs", "minerals", "stars", "rivers", "mythology"} <= set(found)
    for name, corpus in found.items():
        if corpus.kind == "tunes":
            assert corpus.origin == ORIGINS[name]
            assert corpus.documents == len(read_corpus([str(corpus.path)], level="auto").documents)
            continue
        read = read_corpus([str(corpus.path)])
        assert corpus.path.name == f"{name}.txt"
        assert corpus.documents == len(read.documents)
        assert corpus.size == sum(map(len, texts(read)))
        assert corpus.kind == ("prose" if name == "tales" else "names")
        assert corpus.origin == ORIGINS.get(name, "")
        assert read.mode == ("paragraph" if name == "tales" else "line")


# Modes


def test_paragraphs_are_blocks_between_blank_lines(write):
    text = "\n\nOne line\nand another.\n \n\n\tTwo.\n\nThree\n"
    corpus = read_corpus([write("p.txt", text)], "paragraph")
    assert texts(corpus) == ["One line\nand another.", "Two.", "Three"]
    assert [document.source for document in corpus.documents] == ["p.txt:3", "p.txt:7", "p.txt:9"]


def test_paragraphs_without_blank_lines_are_the_long_lines(write):
    lines = [f"{number} " + "a long paragraph goes on and on " * 20 for number in range(5)]
    corpus = read_corpus([write("p.txt", "\n".join(lines))])
    assert corpus.mode == "paragraph"
    assert texts(corpus) == [line.strip() for line in lines]


def test_file_mode_keeps_inner_lines_and_stream_joins_files_from_new_lines(write):
    write("box/a.txt", "one\n\ntwo")
    write("box/b.txt", "three\n")
    assert texts(read_corpus(["box"], "file")) == ["one\n\ntwo", "three"]
    stream = read_corpus(["box"], "stream")
    assert texts(stream) == ["one\n\ntwo\nthree\n"]
    assert stream.documents[0].source == "box/a.txt box/b.txt"


def test_tunes_are_one_document_a_file_but_a_single_one_is_not(write):
    tune = "X:1\nK:C\nC D E F | G A B c | c B A G | F E D C |\n"
    write("tunes/a.abc", tune)
    assert read_corpus(["tunes"]).mode != "file"
    write("tunes/b.ABC", tune + "C4\n")
    assert read_corpus(["tunes"]).mode == "file"
    write("tunes/readme.txt", "About these tunes.\n")
    assert read_corpus(["tunes"]).mode != "file"


PROSE = """\
It was late when the old ferry came across the river, and nobody stood on the
landing to meet it. The ferryman tied his boat to the post, looked up at the
windows of the inn, and counted them as he had done every night of his life.
One of them was dark. He frowned, because Anna never went to bed before ten.
"""
VERSE = """\
The curlew calls above the salted reed,
And all the river answers to the moon;
The ferryman has nothing that he needs
But one dry coat, and morning coming soon,
A kettle for the fire, a little bread,
And somebody to wake him if he dreams
"""
MODES = {
    "names of several words": ("Anna Maria Lund\nOle\nJean de la Tour\n" * 9, "line"),
    "names in groups": ("Ada\nAnn\nAvi\n\nBea\nBen\nBob\n\n" * 9, "line"),
    "sentences": ("The ferry came late today.\n`` Nobody was there , '' he said .\nWas it so?\n" * 9, "line"),
    "sentences in groups": ("The ferry came late today.\nNobody was there to meet it!\n\n" * 9, "line"),
    "sentences between blank lines": ("the ferry came late today\n\nnobody was there to meet it\n\n" * 9, "line"),
    "unpunctuated small sentences": (" the ferry came late today\n nobody at all was there to meet it\n" * 9, "line"),
    "titles": ("The Ferry That Came Too Late\nA Short History of the River and Its Boats\n" * 9, "line"),
    "titles and a stray blank": ("The Ferry That Came Too Late\n" * 80 + "\n" + "A History of Boats\n" * 80, "line"),
    "headed table": ("Lund, Anna of the Upper River\nHolm, Ole of the Lower River\n" * 9, "line"),
    "wrapped prose": (PROSE * 5, "stream"),
    "wrapped paragraphs": ("\n".join([PROSE] * 5), "stream"),
    "verse": (VERSE * 5, "stream"),
    "a play": ("ANNA:\nThe boat is late again, and so are you\n\nOLE:\nThe river was too high\n\n" * 9, "stream"),
    "a program": ("def add(a, b):\n    return the_sum_of(a, b) + 0\n\n\nclass Boat:\n    name = 0\n\n" * 9, "stream"),
    "wrapped prose without punctuation": ("it was late when the old ferry came\nacross the river\n\n" * 9, "stream"),
    "a single long line": ("the ferry came late today " * 40, "stream"),
    "a single short line": ("the ferry came late today", "line"),
    "long lines": (("A paragraph that goes on. " * 30 + "\n") * 9, "paragraph"),
    "long lines and blanks": (("A paragraph that goes on. " * 30 + "\n\n") * 9, "paragraph"),
}


@pytest.mark.parametrize("layout", MODES)
def test_the_mode_follows_the_layout(layout):
    text, mode = MODES[layout]
    assert choose_mode([text]) == mode


def test_only_the_first_lines_are_judged():
    assert choose_mode(["Ada\n" * 50_000 + PROSE * 30_000]) == "line"
    assert choose_mode(["Ada\n" * 50_000, PROSE * 30_000]) == "line"
    assert choose_mode(["Ada\n" * 4, PROSE * 30_000]) == "stream"


@pytest.mark.parametrize(
    ("name", "mode", "count"),
    [
        ("names.txt", "line", 32_033),
        ("dinos.txt", "line", 1536),
        ("names/test.txt", "line", 1000),
        ("brown/brown.train.txt", "line", 35_523),
        ("brown/brown.valid.txt", "line", 11_690),
        ("brown/brown.test.txt", "line", 10_127),
        ("tinyshakespeare/train.txt", "stream", 1),
        ("tinyshakespeare/valid.txt", "stream", 1),
        ("wjazzd", "file", 256),
    ],
)
def test_the_mode_of_real_corpora(name, mode, count):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    corpus = read_corpus([str(path)])
    assert (corpus.mode, len(corpus.documents)) == (mode, count)


def test_a_real_stream_keeps_every_character():
    path = DATA / "tinyshakespeare" / "train.txt"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    assert texts(read_corpus([str(path)])) == [path.read_bytes().decode()]


# Faults


def test_a_missing_source_names_close_bundled_corpora_and_the_command_that_lists_them(write):
    write("names.txt", NAMES)
    expect_fault(["dinosaur"], "dinosaur: no such file, folder", "did you mean dinosaurs?", "`gencli corpora`")
    expect_fault(["my/nowhere.txt"], "my/nowhere.txt: no such file", "`gencli corpora`")
    expect_fault([""], "'': no such file", "`gencli corpora`")
    expect_fault(["nul\0nul"], "nul", "no such file")


def test_a_source_the_system_refuses_is_named(write, monkeypatch):
    name = "x" * 5000  # longer than any file name may be
    expect_fault([name], f"{name}: cannot be read", "check its name")
    write("box/names.txt", NAMES)

    def refuse(*_):
        raise PermissionError(13, "Permission denied", "box")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        expect_fault(["box"], "box: cannot be read (Permission denied)", "permissions")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        expect_fault(["box/names.txt"], "box/names.txt: cannot be read (Permission denied)", "permissions")
        expect_fault(["box"], "box: no text in this folder (skipped", "put text files in it")


@pytest.mark.parametrize("content", ["", "\n", " \r\n\t\n", "\ufeff"])
def test_an_empty_file_is_named(write, stdin, content):
    expect_fault([write("a.txt", NAMES), write("void.txt", content)], "void.txt: empty", "give a text")
    stdin(content.encode())
    expect_fault(["-"], "stdin: empty", "give a text")


def test_a_closed_stdin_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    expect_fault(["-"], "stdin: closed", "name a file")


def test_binary_and_undecodable_data_give_the_offset_and_the_option(write, stdin):
    binary = write("tune.mid", b"MThd\0\0")
    latin = write("old.txt", b"Ada\nZo\xeb\n")
    expect_fault([binary], "tune.mid: binary data", "NUL at byte 4", "--encoding")
    expect_fault([latin], "old.txt: not utf-8 text at byte 6", "--encoding latin-1")
    expect_fault([latin], "old.txt: not ascii text at byte 6", "--encoding utf-8", encoding="ascii")
    expect_fault([write("odd.txt", b"\0A\0")], "odd.txt: not utf-16-be text at byte 2", encoding="utf-16-be")
    expect_fault([write("nul.txt", b"A\0\0\0")], "nul.txt: binary data", "character 1", encoding="utf-16-le")
    expect_fault([write("idna.txt", b"xn--a..b")], "idna.txt: not idna text", "--encoding utf-8", encoding="idna")
    stdin(b"\xff")
    expect_fault(["-"], "stdin: not utf-8 text at byte 0", "--encoding latin-1")


@pytest.mark.parametrize("encoding", ["utf-88", "hex", "", "a\0b"])
def test_an_unknown_encoding_is_an_option_error(write, encoding):
    with pytest.raises(OptionError) as error:
        read_corpus([write("a.txt", NAMES)], encoding=encoding)
    assert re.match(rf"--encoding {encoding}: .*try utf-8", message(error))


def test_a_folder_without_text_says_how_many_files_were_skipped(write):
    write("box/.hidden", NAMES)
    expect_fault(["box"], "box: no text in this folder;", "put text files in it")
    write("box/tune.mid", b"MThd\0\0")
    expect_fault(["box"], "box: no text in this folder (skipped as no utf-8 text: 1)", "--encoding")


@pytest.mark.parametrize("mode", ["auto", "line", "paragraph", "file"])
@pytest.mark.parametrize("content", ["Ada", "Ada\n\nAda\n"])
def test_one_document_leaves_nothing_to_hold_out(write, mode, content):
    name = write("one.txt", "Ada Bea" if mode == "file" else content)
    expect_fault([name], "one.txt: only one distinct", "nothing to hold out", "more", "--documents stream", mode=mode)
    assert len(read_corpus([name], "stream").documents) == 1
    assert read_corpus([name], mode, for_training=False).documents


@pytest.mark.parametrize("mode", ["auto", "line", "stream"])
def test_a_single_distinct_character_is_nothing_to_learn(write, mode):
    expect_fault([write("a.txt", "aaaa")], "a.txt: only one distinct character", "give a text", mode=mode)


def test_impossible_arguments_are_option_errors(write):
    with pytest.raises(OptionError, match="no source: name a file"):
        read_corpus([])
    with pytest.raises(OptionError, match="--documents word: not one of line, paragraph, file, stream"):
        read_corpus([write("a.txt", NAMES)], "word")


def test_a_damaged_bundled_corpus_is_named(tmp_path, monkeypatch):
    (tmp_path / "void.txt").write_text("\n")
    monkeypatch.setattr("gencli.corpus.bundled_files", lambda: {"void": tmp_path / "void.txt"})
    with pytest.raises(CorpusError, match=r"void\.txt: empty; install gencli again"):
        bundled()


# The split


def make_corpus(lines, mode: DocumentMode = "line"):
    return Corpus("made", [Document(text, f"made:{number}") for number, text in enumerate(lines, 1)], mode, "made")


def test_distinct_keeps_the_order_of_first_appearance():
    assert distinct(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=40),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**66),
)
def test_no_text_stands_on_both_sides(lines, fraction, seed):
    corpus = make_corpus(lines)
    train, valid = split(corpus, fraction, seed)
    trained, validated = [document.text for document in train], [document.text for document in valid]
    assert not set(trained) & set(validated)
    assert set(trained) | set(validated) == set(lines)
    assert len(set(validated)) == len(validated)
    assert trained == [text for text in lines if text not in validated]  # in order, copies and all
    assert validated == [text for text in distinct(lines) if text in validated]
    assert all(lines[int(document.source.split(":")[1]) - 1] == document.text for document in train)
    assert [document.source for document in valid] == [f"made:{lines.index(text) + 1}" for text in validated]
    if fraction > 0 and len(set(lines)) > 1:
        assert train
        assert valid
        assert len(valid) == min(max(round(fraction * len(set(lines))), 1), len(set(lines)) - 1)
    else:
        assert not valid


def test_the_split_is_fixed_for_all_machines_and_differs_by_seed():
    corpus = make_corpus([f"name {number}" for number in range(40)])
    chosen = [[document.source for document in split(corpus, 0.1, seed)[1]] for seed in range(8)]
    assert chosen[1] == ["made:6", "made:15", "made:16", "made:22"]
    assert len({tuple(sources) for sources in chosen}) == 8


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=3), st.floats(0, 1, exclude_max=True))
def test_a_stream_is_cut_at_one_character(parts, fraction):
    train, valid = split(make_corpus(parts, "stream"), fraction, 0)
    joined = "".join(parts)
    trained = "".join(document.text for document in train)
    assert trained + "".join(document.text for document in valid) == joined
    assert all(document.text for document in train + valid)
    if fraction == 0 or len(joined) < 2:
        assert not valid
    else:
        expected = round(len(joined) * (1 - fraction))
        assert abs(len(trained) - min(max(expected, 1), len(joined) - 1)) <= 1


def test_the_end_of_a_stream_validates():
    train, valid = split(make_corpus(["0123456789"], "stream"), 0.3, 5)
    assert ([document.text for document in train], [document.text for document in valid]) == (["0123456"], ["789"])


@pytest.mark.parametrize(
    ("fraction", "seed", "option"),
    [(1.0, 0, "--val-fraction 1.0"), (-0.1, 0, "--val-fraction -0.1"), (0.1, -1, "--seed -1")],
)
def test_impossible_splits_are_option_errors(fraction, seed, option):
    with pytest.raises(OptionError, match=f"^{option}: must"):
        split(make_corpus(["a", "b"]), fraction, seed)
