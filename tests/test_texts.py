"""Lines as they arrive: the same whatever the pieces, and those before a fault are not lost."""

from __future__ import annotations

import io
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.cli import texts
from gencli.cli.texts import Entry, LineDecoder, read_entries, read_lines
from gencli.errors import CorpusError, OptionError


def fed(data, cuts=(), encoding="utf-8"):
    """The lines of some bytes fed in pieces, and the fault that ended them."""
    decoder = LineDecoder("a.txt", encoding)
    edges = [0, *sorted(cuts), len(data)]
    lines = []
    for begin, end in pairwise(edges):
        if begin < end and decoder.fault is None:
            lines += decoder.feed(data[begin:end])
    if decoder.fault is None:
        lines += decoder.feed(b"")
    return lines, None if decoder.fault is None else str(decoder.fault)


ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "shift_jis")


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.text(st.sampled_from("ab \u30a2\n\r"), max_size=40),
    st.lists(st.integers(0, 90)),
    st.sampled_from(ENCODINGS),
)
def test_lines_do_not_depend_on_the_pieces(text, cuts, encoding):
    data = text.encode(encoding)
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    expected = plain.split("\n")
    assert fed(data, [cut for cut in cuts if cut < len(data)], encoding) == (
        expected if expected[-1] else expected[:-1],
        None,
    )


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.integers(0, 5), st.lists(st.integers(0, 40)), st.sampled_from([b"\xff", b"\0", b"\xe2\x82", b"\xe2\x82\n"]))
def test_lines_before_a_fault_and_its_place_do_not_depend_on_the_pieces(before, cuts, fault):
    data = (
        b"".join(b"l\xc3\xb6ne%d\n" % i for i in range(before))
        + b"ab"
        + fault
        + (b"" if len(fault) == 2 else b"cd\nef")
    )
    lines, told = fed(data, [cut for cut in cuts if cut < len(data)])
    assert lines == [f"l\u00f6ne{i}" for i in range(before)]
    assert told.startswith(f"a.txt:{before + 1}: ")
    if fault != b"\0":
        assert f"not utf-8 text at byte {data.index(fault)} (" in told


def test_a_byte_order_mark_is_no_text():
    assert fed(b"\xef\xbb\xbfa\nb", [1, 2]) == (["a", "b"], None)
    assert fed("\ufeffa\n\ufeffb".encode()) == (["a", "\ufeffb"], None)  # elsewhere it is a character


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(texts, "LONGEST", 100)
    lines, told = fed(b"a\n" + b"b" * 250, [50, 90, 150, 200])
    assert lines == ["a"]
    assert told.startswith("a.txt:2: over 100 characters without a line end")
    assert fed(b"a\n" + b"b" * 100 + b"\n", [50, 90])[1] is None


def test_each_group_holds_what_had_arrived(monkeypatch, tmp_path):
    class Trickle(io.BytesIO):
        def read1(self, size=-1):
            return super().read1(3)

    monkeypatch.setattr(texts.Path, "open", lambda *_: Trickle(b"a\nb\nccccc\nd"))
    assert list(read_lines("x")) == [["a"], ["b"], ["ccccc"], ["d"]]


def test_entries_know_where_they_stood(monkeypatch, tmp_path):
    (tmp_path / "a").write_text("x\ny\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"z\n")))
    name = str(tmp_path / "a")
    found = [entry for group in read_entries(["t", "u"], [name, "-"], "line", "utf-8") for entry in group]
    assert [entry.place for entry in found] == ["text 1", "text 2", f"{name}:1", f"{name}:2", "stdin:1"]
    assert [entry.text for entry in found] == ["t", "u", "x", "y", "z"]
    assert list(read_entries([], [name], "file", "utf-8")) == [[Entry("x\ny", name, 1, label=name)]]


def test_faults_name_what_cannot_be_read(monkeypatch, tmp_path):
    with pytest.raises(CorpusError, match=r"cannot be read .*; check its name"):
        list(read_lines(str(tmp_path / "missing")))
    with pytest.raises(OptionError, match="--encoding latin-99"):
        list(read_lines(str(tmp_path), "latin-99"))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CorpusError, match="stdin: closed"):
        list(read_lines("-"))
