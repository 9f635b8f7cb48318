"""Texts too large for memory: what is on disk reads, divides, encodes and trains as what is in memory does."""

from __future__ import annotations

import io
import random
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.choices import Choices
from gencli.codecs.codec import encode_documents, fit_codec
from gencli.config import CodecOptions
from gencli.corpus import read_corpus, split
from gencli.cut_stored import cut_stored
from gencli.document import whole_texts
from gencli.documents import cut_documents
from gencli.errors import CorpusError, GencliError
from gencli.model import load, start_training
from gencli.recipe import make_plan
from gencli.scratch import Scratch, scratch_folder
from gencli.splitting import distinct_sorted
from gencli.stored_documents import StoredDocuments, last_cut
from gencli.text_store import TextStore
from gencli.training import Training

PIECES = {  # bytes read or held at a time: so few that every text takes many
    "gencli.cut_stored.BLOCK": 64,
    "gencli.sources.CHUNK": 7,
    "gencli.stored_documents.BATCH_CHARACTERS": 48,
    "gencli.stored_documents.BATCH_DOCUMENTS": 5,
    "gencli.codecs.codec.BLOCK": 50,
}
WORDS = ("the", "sea,", "river", "ran", "down.", "it", "met", "(at", "last)", "“nobody”", "Zoë", "中文", "well-known")
LEVELS = {
    "char": {},
    "word": {"level": "word"},
    "lowercase": {"level": "word", "lowercase": True, "min_count": 2},
    "tokens": {"level": "word", "split": "whitespace"},
}


@pytest.fixture
def on_disk(monkeypatch):
    """Has every text of more than so many characters taken for a large one, and read a few bytes at a time."""

    def call(most=0):
        monkeypatch.setattr("gencli.corpus.LARGE", most)
        for name, value in PIECES.items():
            monkeypatch.setattr(name, value)

    return call


@pytest.fixture(autouse=True)
def empty_folder(tmp_path_factory, monkeypatch):
    """A folder for temporary files, in which nothing is ever to be seen."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def write_text(path, mode="line", lines=60, seed=1):
    """A file with line ends of three kinds, a byte order mark, blank and repeated lines and odd white space."""
    rng = random.Random(seed)
    made = []
    for _ in range(lines):
        line = " ".join(rng.choices(WORDS, k=rng.randint(1, 6)))
        made.append(rng.choice(["", "  ", "\u2003", "\t\x1c"]) + line + rng.choice(["", " ", "\xa0"]))
        made += [rng.choice(made)] * (rng.random() < 0.1)
        made += ["", " \u3000"][: rng.randint(0, 2)] * (mode != "stream")
    ends = [rng.choice(["\n", "\r\n", "\r"]) for _ in made]
    path.write_bytes(b"\xef\xbb\xbf" + "".join(map(str.__add__, made, ends)).encode())
    return str(path)


@pytest.mark.parametrize("mode", ["auto", "line", "paragraph", "file", "stream"])
def test_a_large_corpus_has_the_documents_of_a_small_one(tmp_path, on_disk, mode):
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "blank.txt").write_text(" \n\n")
    (tmp_path / "box" / "picture").write_bytes(b"some text first, and then\n" * 9 + b"\0\1\2")
    write_text(tmp_path / "box" / "b.txt", seed=2)
    sources = [write_text(tmp_path / "a.txt"), str(tmp_path / "box")]
    small = read_corpus(sources, mode)
    on_disk(most=400)  # so that the first file is in part held in memory when it turns out to be large
    large = read_corpus(sources, mode)
    assert isinstance(large.documents, StoredDocuments)
    assert isinstance(small.documents, list)
    assert (large.mode, large.skipped, large.name, large.source) == (small.mode, 1, small.name, small.source)
    assert list(large.documents) == list(small.documents)
    assert [document.text for document in small.documents] == list(whole_texts(large.documents))
    assert large.documents[-1] == small.documents[-1]
    assert list(large.documents[1:3]) == list(small.documents[1:3])


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(st.text(alphabet="ab. \n\n\t\x1f\xa0é\u2003中𝄞", min_size=1, max_size=80), min_size=1, max_size=3),
    st.sampled_from(["line", "paragraph", "file", "stream"]),
)
def test_texts_on_disk_divide_as_those_in_memory(texts, mode):
    texts = [(f"{n}.txt", text) for n, text in enumerate(texts) if text.strip()]
    store = TextStore(most=0)
    for label, text in texts:
        assert store.add(label, iter(text))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PIECES.items():
            patch.setattr(name, value)
        if texts:
            assert list(cut_stored(store.disk, store.stored, mode)) == cut_documents(texts, mode)


def test_a_block_of_long_lines_divides_into_lines(tmp_path, on_disk):
    path = tmp_path / "long.txt"
    path.write_text("".join(f"line {n} of Zoë " * 40 + "\n" for n in range(9)))
    small = read_corpus([str(path)], "paragraph").documents
    on_disk()
    assert list(read_corpus([str(path)], "paragraph").documents) == small
    assert len(small) == 9


@pytest.mark.parametrize("mode", ["line", "stream"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5])
def test_a_large_corpus_is_split_as_a_small_one(tmp_path, on_disk, mode, fraction):
    path = write_text(tmp_path / "a.txt", mode)
    small = read_corpus([path], mode)
    on_disk()
    large = read_corpus([path], mode)
    for seed in range(3):
        for ours, expected in zip(split(large, fraction, seed), split(small, fraction, seed), strict=True):
            assert [document.text for document in ours] == [document.text for document in expected]
            assert mode == "stream" or list(ours) == list(expected)


@pytest.mark.parametrize("mode", ["line", "paragraph", "stream"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_plan_of_a_large_corpus_is_that_of_a_small_one(tmp_path, on_disk, level, mode):
    path = write_text(tmp_path / "a.txt", mode, lines=120)
    choices = Choices(documents=mode, **LEVELS[level])
    small = make_plan([path], choices)
    on_disk()
    large = make_plan([path], choices)
    assert large.train_data.ids.dtype == np.uint8
    for ours, expected in ((large.train_data, small.train_data), (large.valid_data, small.valid_data)):
        assert np.array_equal(ours.ids, expected.ids)
        assert np.array_equal(ours.lengths, expected.lengths)
    assert np.array_equal(large.hashes, small.hashes)
    assert large.codec.state() == small.codec.state()
    assert large.unknown_shares == small.unknown_shares
    assert large.fingerprint == small.fingerprint
    named = ("network", "train", "steps_per_epoch", "chosen", "train_documents", "valid_documents", "documents")
    assert {name: getattr(large, name) for name in named} == {name: getattr(small, name) for name in named}


def test_ids_on_disk_take_two_bytes_above_256_symbols_and_four_above_65536(tmp_path, on_disk):
    path = tmp_path / "many.txt"
    for count, dtype in ((254, np.uint8), (255, np.uint16), (65_535, np.int32)):
        path.write_text("".join(chr(0x10000 + n) for n in range(count)) * 2)
        on_disk()
        corpus = read_corpus([str(path)], "stream")
        codec = fit_codec("char", corpus.documents)
        ids = encode_documents(codec, corpus.documents, "stream").ids
        assert (codec.vocabulary_size, ids.dtype) == (count + 2, dtype)
        assert ids.tolist() == [*range(2, count + 2)] * 2


@pytest.mark.parametrize("split_name", ["words", "whitespace"])
@pytest.mark.parametrize("breaks", ["", "\n"])
def test_words_of_a_text_in_parts_are_those_of_the_whole(tmp_path, on_disk, split_name, breaks):
    rng = random.Random(3)
    text = "".join(rng.choice(WORDS) + rng.choice(["  ", " ", " ", " ", breaks]) for _ in range(300))
    (tmp_path / "one.txt").write_text(text)
    options = CodecOptions(min_count=1, split=split_name)
    small = read_corpus([str(tmp_path / "one.txt")], "stream").documents
    codec = fit_codec("word", small, options)
    on_disk()
    large = read_corpus([str(tmp_path / "one.txt")], "stream").documents
    assert sum(1 for _ in large.batches()) > 20
    assert fit_codec("word", large, options).state() == codec.state()
    ours = encode_documents(codec, large, "stream")
    assert np.array_equal(ours.ids, encode_documents(codec, small, "stream").ids)
    assert codec.decode(ours.ids) == codec.normalised(text)


def test_a_part_ends_after_a_line_before_spaces_or_at_a_character():
    assert last_cut(b"one two\nthree four") == len(b"one two\n")
    assert last_cut(b"one two  three") == len(b"one two")
    assert last_cut(b"  three") == len(b"  thre")
    assert last_cut("äöü中".encode()) == len("äöü".encode())
    assert last_cut("äöü中".encode()[:-1]) == len("äöü".encode())


@pytest.mark.parametrize("mode", ["line", "stream"])
def test_a_large_corpus_trains_and_resumes_to_the_same_bits(tmp_path, on_disk, mode):
    path = write_text(tmp_path / "a.txt", mode)
    choices = Choices(documents=mode, hidden_size=8, layers=1, batch_size=3, seq_length=8, max_steps=24)

    def weights(output, last_step=None):
        """The model's weights after a run, or after two of which the first was interrupted."""
        run = start_training([path], tmp_path / output, choices, 1)
        learn = run.network.learn

        def learn_and_interrupt(*arguments):
            if run.progress.step + 1 == last_step:
                run.interrupt()
            return learn(*arguments)

        run.network.learn = learn_and_interrupt
        for _ in run.fit():
            pass
        if last_step is not None:
            assert run.progress.step == last_step
            for _ in Training.resume([path], tmp_path / output, 1).fit():
                pass
        return load(tmp_path / output).stored.tensors

    small = weights("small.safetensors")
    on_disk()
    for tensors in (weights("whole.safetensors"), weights("resumed.safetensors", last_step=9)):
        assert tensors.keys() == small.keys()
        assert all(np.array_equal(tensors[name], small[name]) for name in small)


def test_stdin_may_be_large_too(on_disk, monkeypatch):
    on_disk(most=20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Ada\nBea\r\nCleo\n" * 5)))
    corpus = read_corpus(["-"])
    assert isinstance(corpus.documents, StoredDocuments)
    assert [document.text for document in corpus.documents] == ["Ada", "Bea", "Cleo"] * 5


@pytest.mark.parametrize(
    ("data", "encoding", "place"),
    [
        ("Zoë\n".encode() * 40 + b"\xff", "utf-8", "byte 200 (invalid start byte)"),
        ("Zoë\n".encode() * 40 + b"\xc3", "utf-8", "byte 200 (unexpected end of data)"),
        ("中\n".encode() * 40 + b"\xe4\xb8\n", "utf-8", "byte 160 (invalid continuation byte)"),
        ("中\n".encode("shift-jis") * 40 + b"\xff", "shift-jis", "byte 120"),
        ("ab\n".encode("utf-16") + b"\x00\xd8ab", "utf-16", "byte 8"),
        (b"ab\n" * 40 + b"\0", "utf-8", "a NUL at byte 120"),
        ("ab\n\0".encode("utf-16"), "utf-16", "a NUL at character 3"),
    ],
)
@pytest.mark.parametrize("most", [0, 10**9])
def test_an_error_is_told_at_its_place_however_the_text_is_read(tmp_path, on_disk, data, encoding, place, most):
    (tmp_path / "bad.txt").write_bytes(data)
    on_disk(most)
    with pytest.raises(CorpusError) as error:
        read_corpus([str(tmp_path / "bad.txt")], encoding=encoding)
    assert place in str(error.value)


def test_only_one_character_or_document_is_refused_in_a_large_text_too(tmp_path, on_disk):
    on_disk()
    for text, told in (("a" * 300, "only one distinct character"), ("ab\n" * 99, "only one distinct line")):
        (tmp_path / "same.txt").write_text(text)
        with pytest.raises(CorpusError, match=told):
            read_corpus([str(tmp_path / "same.txt")], "line")


def test_a_text_that_fails_leaves_nothing_of_it():
    def failing():
        yield "some text" * 9
        raise CorpusError("no text after all")

    store = TextStore(most=20)
    assert store.add("a", ["first"])
    assert store.disk is None
    for _ in range(2):
        with pytest.raises(CorpusError):
            store.add("b", failing())
        assert not store.add("c", [" \n", " " * 99])
        assert store.add("d", ["more\n"])
        assert store.add("e", ["last"])
    found = [store.disk.read(text.begin, text.end) for text in store.stored]
    assert found == [b"first", b"more\n", b"last", b"more\n", b"last"]
    assert store.disk.read(0, 99) == b"first\nmore\nlast\nmore\nlast"


def test_a_full_disk_is_told_in_one_line(monkeypatch, empty_folder):
    scratch = Scratch()
    scratch.write(b"x" * 3_000_000)

    class Full:
        def seek(self, place):
            pass

        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch, "_file", Full())
    with pytest.raises(GencliError) as error:
        scratch.write(b"y")
    assert str(error.value) == (
        f"{empty_folder}: temporary files of a large corpus cannot be kept there after 3 MB "
        "(No space left on device); make room, or name another folder in TMPDIR"
    )


def test_a_folder_for_temporary_files_that_is_none_is_told_in_one_line(gencli, names, on_disk, monkeypatch):
    on_disk()
    monkeypatch.setenv("TMPDIR", "nowhere")
    error = gencli("train", names, "-q").error
    assert error.startswith("nowhere: temporary files of a large corpus cannot be kept there (No such file")
    assert [path.name for path in Path().iterdir()] == [names]


def test_large_temporary_files_lie_where_files_last(monkeypatch):
    monkeypatch.delenv("TMPDIR")
    assert str(scratch_folder()) in ("/var/tmp", tempfile.gettempdir())


def test_a_file_is_written_in_pieces_and_mapped():
    scratch = Scratch()
    assert len(scratch.mapped(np.uint16)) == 0
    scratch.write(np.arange(5, dtype=np.uint16))
    scratch.write(b"\x07\0\x08\0")
    assert scratch.mapped(np.uint16).tolist() == [0, 1, 2, 3, 4, 7, 8]
    assert scratch.read(12, 99) == b"\x08\0"
    scratch.cut(4)
    assert scratch.read(0, 99) == b"\0\0\1\0"


def test_fingerprints_are_sorted_and_distinct():
    values = np.array([5, 2**63 + 1, 5, 0], np.uint64)
    assert distinct_sorted(values).tolist() == [0, 5, 2**63 + 1]
    assert distinct_sorted(values[:0]).tolist() == []


@pytest.mark.parametrize(("mode", "most"), [("stream", 0), ("line", 100)])
def test_more_text_takes_no_more_memory_but_for_the_places_of_its_documents(tmp_path, monkeypatch, mode, most):
    """`most`: bytes a document, with those that sorting and laying them in rows take for a while."""
    monkeypatch.setattr("gencli.corpus.LARGE", 1000)
    sentence = "It met the sea at last, and nobody saw it there, nobody at all, not even the heron"
    counts, peaks = (20_000, 40_000), []
    for count in counts:
        path = tmp_path / "text.txt"
        path.write_text("".join(f"{n} {sentence}\n" for n in range(count)))
        choices = Choices(documents=mode, hidden_size=8, layers=1)
        tracemalloc.start()
        plan = make_plan([str(path)], choices)
        assert plan.fingerprint
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    more = path.stat().st_size / 2
    assert peaks[1] - peaks[0] < 0.05 * more + most * (counts[1] - counts[0])
