"""Tunes on the command line: from a folder to a model, to MIDI, MusicXML and ABC, to scores; and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import mido
import pytest

from gencli.choices import Choices
from gencli.codecs.music import MusicCodec
from gencli.config import NetworkConfig
from gencli.corpus import read_corpus, split
from gencli.documents import Corpus, Document
from gencli.errors import CorpusError, OptionError
from gencli.improvising import SWING, Wishes, parsed_range
from gencli.model import load, start_training, train
from gencli.music.changes import parse_changes
from gencli.music.chords import parse_chord
from gencli.music.lead_sheet import Bar, Change, LeadSheet
from gencli.music.tunes import read_tunes
from gencli.music.write_options import STRAIGHT
from gencli.recipe import make_plan
from gencli.training import Training
from gencli.tune_corpus import grouped_titles

ONE = """X:1
T:One
M:4/4
L:1/8
K:C
"Dm7"d2 fa c'2 a2 | "G7"b2 gf d2 B2 | "Cmaj7"c2 eg b2 g2 | "Cmaj7"c'8 |
"Dm7"a2 fd A2 c2 | "G7"B2 df a2 g2 | "Cmaj7"e2 c2 G2 E2 | "Cmaj7"C8 |
"""
TWO = """X:1
T:Two
M:4/4
L:1/8
K:F
"Gm7"g2 ba g2 d2 | "C7"e2 c2 B2 G2 | "Fmaj7"A2 ce g2 e2 | "Fmaj7"f8 |
"Gm7"d2 BG d2 f2 | "C7"e2 gb a2 g2 | "Fmaj7"f2 a2 c2 A2 | "Fmaj7"F8 |
"""
SHEET = LeadSheet((), (), (Bar(0, 48),))
SMALL = {"hidden_size": 8, "layers": 1, "max_steps": 12, "threads": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two folders with a tune each, and two.safetensors, trained on both for a few steps."""
    root = tmp_path_factory.mktemp("music")
    for name, text in (("blue", ONE), ("green", TWO)):
        (root / "tunes" / name).mkdir(parents=True)
        (root / "tunes" / name / "tune.abc").write_text(text, encoding="utf-8")
    train(str(root / "tunes"), root / "two.safetensors", label="folder", **SMALL)
    return root


@pytest.fixture
def two(folder, tmp_path, monkeypatch):
    """The small model; the working folder is empty."""
    monkeypatch.chdir(tmp_path)
    return folder / "two.safetensors"


# Reading


def test_a_folder_of_tunes_is_read_as_music_unless_told_otherwise(folder):
    plan = make_plan([str(folder / "tunes")], Choices())
    assert (plan.codec.level, plan.documents) == ("music", "file")
    assert (plan.train_documents, plan.valid_documents) == (1, 1)
    assert plan.network.side_sizes == plan.codec.side_sizes
    assert plan.train_data.side.shape == (len(plan.codec.side_sizes), plan.train_tokens)
    assert make_plan([str(folder / "tunes")], Choices(level="char")).codec.level == "char"
    assert make_plan([str(folder / "tunes")], Choices(lowercase=True)).codec.level == "word"
    mixed = make_plan([str(folder / "tunes"), "stars"], Choices())
    assert mixed.codec.level == "char"


def test_mostly_tunes_is_enough(folder, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.abc").write_text(ONE.replace("d2 fa", f"d2 f{'abc'[number]}"), encoding="utf-8")
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text("words\n", encoding="utf-8")
    assert make_plan([str(tmp_path)], Choices()).codec.level == "music"
    (tmp_path / "2.txt").write_text("more words\n", encoding="utf-8")
    assert make_plan([str(tmp_path)], Choices()).codec.level == "char"  # half is not most


def test_an_xml_file_is_a_tune_where_it_says_so(tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.xml").write_text(f"<names><name>Ada {number}</name></names>\n", encoding="utf-8")
    assert make_plan([str(tmp_path)], Choices()).codec.level == "char"


def test_unreadable_files_are_counted_and_named(folder, tmp_path):
    for name, text in (("a.abc", ONE), ("b.abc", TWO), ("c.abc", "no tune at all")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "d.mid").write_bytes(b"MThd nonsense")
    corpus = read_corpus([str(tmp_path)], level="auto")
    assert len(corpus.documents) == 2
    assert corpus.skipped == 2
    [notice] = corpus.notices
    assert notice.startswith("warning: not read: ")
    assert "c.abc" in notice
    assert "d.mid" in notice


def test_polyphony_is_told_of(tmp_path):
    (tmp_path / "a.abc").write_text(ONE.replace("d2 fa", "[df]2 fa"), encoding="utf-8")
    (tmp_path / "b.abc").write_text(TWO, encoding="utf-8")
    assert read_corpus([str(tmp_path)], level="music").notices == ("reduced to one voice, the highest: 1 of 2 tunes",)


def test_labels_are_folders_where_asked_for(folder):
    def labels(**settings):
        corpus = read_corpus([str(folder / "tunes")], level="auto", **settings)
        return [document.text.split()[0] for document in corpus.documents]

    assert labels() == ["LABEL_?", "LABEL_?"]
    assert labels(label="folder") == ["LABEL_blue", "LABEL_green"]


def test_music21s_own_tunes_are_a_source(tmp_path):
    corpus = read_corpus(["music21:bach/bwv26"], level="auto", for_training=False)
    assert corpus.tunes
    assert corpus.name == "bach-bwv26"
    assert corpus.documents


def test_takes_of_one_title_stay_together(tmp_path):
    for number in range(3):
        for take in range(2):
            text = ONE.replace("T:One", f"T:Tune {number} (take {take + 1})").replace(
                "d2 fa", f"d2 f{'abcdef'[2 * number + take]}"
            )
            (tmp_path / f"{number}{take}.abc").write_text(text, encoding="utf-8")
    corpus = read_corpus([str(tmp_path)], level="auto")
    assert sorted({document.group for document in corpus.documents}) == ["tune 0", "tune 1", "tune 2"]
    for seed in range(6):
        learned, held_out = split(corpus, 0.3, seed)
        assert (len(learned), len(held_out)) == (4, 2)
        assert not {document.group for document in learned} & {document.group for document in held_out}


def test_one_tune_of_several_players_is_one_group():
    titles = ["Sonny Rollins - Oleo-2", "Miles Davis - Oleo - No1", "OLEO (alternate take)", "Airegin - 1961", "", ""]
    assert grouped_titles(titles) == ["oleo", "oleo", "oleo", "airegin", "", ""]


def test_a_series_is_not_one_tune():
    titles = [f"Carl - Study-{number}" for number in range(1, 6)]
    assert grouped_titles([*titles, "Jig"]) == [*(title.casefold() for title in titles), "jig"]
    assert grouped_titles([*titles[:4], "Jig"]) == ["study"] * 4 + ["jig"]
    assert grouped_titles(titles[:2]) == ["carl - study-1", "carl - study-2"]  # or nothing could be held out
    takes = [f"{title} (take {take})" for title in titles for take in (1, 2)]
    assert grouped_titles(takes) == [title.casefold() for title in titles for _ in (1, 2)]


def test_groups_split_as_their_first_texts_would():
    texts = [f"name {number}" for number in range(40)]
    alone = split(Corpus("a", [Document(text) for text in texts], "line", "a"), 0.1, 1)[1]
    paired = [Document(f"{text}{half}", group=text) for text in texts for half in "xy"]
    assert [each.group for each in split(Corpus("a", paired, "line", "a"), 0.1, 1)[1][::2]] == [d.text for d in alone]


# Training


def test_training_sees_other_keys_each_epoch_and_validation_none(folder, tmp_path):
    run = start_training([str(folder / "tunes")], tmp_path / "m.safetensors", Choices(hidden_size=8), 1)
    seen = []
    for epoch in range(6):
        run.progress.epoch = epoch
        rows = run._rows()
        seen.append(rows._tokens.ids.tobytes())
        assert rows._tokens.ids.tobytes() == run._rows()._tokens.ids.tobytes()
    assert len(set(seen)) > 2
    run.network.team.close()


@pytest.mark.parametrize("step", [1, 5, 9])
def test_an_interrupted_run_ends_in_the_same_bytes(folder, tmp_path, step):
    choices = Choices(hidden_size=8, layers=1, batch_size=2, seq_length=16, max_steps=14, label="folder")

    def begin(name):
        return start_training([str(folder / "tunes")], tmp_path / name, choices, 1)

    whole = begin("whole.safetensors")
    for _ in whole.fit():
        pass
    run = begin("part.safetensors")
    learn = run.network.learn

    def interrupting(*arguments):
        if run.progress.step + 1 == step:
            run.interrupt()
        return learn(*arguments)

    run.network.learn = interrupting
    for _ in run.fit():
        pass
    assert (run.finished, run.progress.step) == (False, step)
    again = Training.resume([str(folder / "tunes")], run.output, 1)
    for _ in again.fit():
        pass
    assert run.output.read_bytes() == whole.output.read_bytes()


def test_samples_shown_while_training_are_bars(folder, tmp_path, gencli):
    arguments = ("--hidden-size", "8", "--layers", "1", "--max-steps", "10", "--threads", "1")
    ended = gencli("train", folder / "tunes", "-o", tmp_path / "m.safetensors", *arguments)
    assert ended.code == 0, ended.err
    [line] = [line for line in ended.err.splitlines() if "samples: " in line]
    assert line.partition("samples: ")[2].count(" | ") == 3
    assert "gencli sample" in ended.err
    assert "tune.mid" in ended.err


def test_tunes_without_chords_are_learned_and_written(gencli, tmp_path):
    for number in range(2):
        text = re.sub(r'"[^"]*"', "", ONE).replace("d2 fa", f"d2 f{'ab'[number]}")
        (tmp_path / f"{number}.abc").write_text(text, encoding="utf-8")
    arguments = ("--hidden-size", "8", "--layers", "1", "--max-steps", "10", "--threads", "1", "-q")
    assert gencli("train", tmp_path, "-o", tmp_path / "m.safetensors", *arguments).err == ""
    ended = gencli("sample", tmp_path / "m.safetensors", "--bars", "3", "-o", tmp_path / "t.abc")
    assert (ended.code, ended.err) == (0, "")
    [sheet] = read_tunes(tmp_path / "t.abc")
    assert (sheet.changes, len(sheet.bars)) == ((), 3)
    refused = gencli("sample", tmp_path / "m.safetensors", "--chords", "C7").error
    assert refused == "--chords: the model learned from tunes without chords; leave it out"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("stars", "--track", "2"), "--track 2: belongs to tunes; leave it out, or say --level music"),
        (("stars", "--label", "folder"), "--label folder: belongs to tunes; leave it out, or say --level music"),
        (("stars", "--level", "char", "--track", "2"), "--track 2: belongs to tunes, --level music"),
        (("-", "--level", "music"), "stdin: tunes are read from files and folders; name one"),
        (("jazz", "--level", "music", "--documents", "line"), "--documents line: a tune is a document"),
        (("jazz", "--level", "music", "--lowercase"), "--lowercase: only --level word has it"),
    ],
)
def test_what_training_refuses(gencli, options, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gencli("train", *options, "-q").error.startswith(line)


def test_one_tune_is_too_few(folder):
    with pytest.raises(CorpusError, match="only one tune, nothing to hold out"):
        make_plan([str(folder / "tunes" / "blue")], Choices())


# Writing


def test_given_chords_and_bars_stand_in_every_file(gencli, two):
    chords = "Dm7 G7 | Cmaj7 | % | A7"
    for suffix in ("mid", "abc", "musicxml"):
        ended = gencli("sample", two, "-o", f"tune.{suffix}", "--chords", chords, "--bars", "8", "--tempo", "132")
        assert (ended.code, ended.out, ended.err) == (0, "", "")
        [sheet] = read_tunes(f"tune.{suffix}")
        assert [bar.length for bar in sheet.bars] == [48] * 8
        expected = [(0, "Dm7"), (24, "G7"), (48, "Cmaj7"), (144, "A7")]
        twice = [Change(start + 192 * turn, parse_chord(name)) for turn in (0, 1) for start, name in expected]
        assert list(sheet.changes) == twice
        assert sheet.tempo == pytest.approx(132, abs=0.01)
    files = [read_tunes(f"tune.{suffix}")[0].notes for suffix in ("mid", "abc", "musicxml")]
    assert files[0] == files[1] == files[2] != ()


def test_the_same_seed_the_same_bytes(gencli, two, tmp_path):
    def written(name, seed):
        assert gencli("sample", two, "-o", name, "--bars", "4", "--seed", seed).code == 0
        return (tmp_path / name).read_bytes()

    for suffix in ("mid", "abc", "musicxml"):
        assert written(f"a.{suffix}", 3) == written(f"b.{suffix}", 3) != written(f"c.{suffix}", 4)


def test_several_tunes_are_numbered_and_the_first_is_the_single_one(gencli, two, tmp_path):
    assert gencli("sample", two, "-o", "t.mid", "-n", "3", "--bars", "2").code == 0
    assert gencli("sample", two, "-o", "one.mid", "--bars", "2").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mid", "t-1.mid", "t-2.mid", "t-3.mid"]
    assert (tmp_path / "t-1.mid").read_bytes() == (tmp_path / "one.mid").read_bytes()
    assert len({(tmp_path / f"t-{n}.mid").read_bytes() for n in (1, 2, 3)}) == 3


def test_meter_key_range_instrument_backing_and_label_are_kept(gencli, two):
    options = ("--meter", "3/4", "--key", "Bb", "--range", "C4-C5", "--instrument", "flute", "--backing", "none")
    assert gencli("sample", two, "-o", "t.mid", "--bars", "6", "--label", "green", *options).code == 0
    assert gencli("sample", two, "-o", "t.abc", "--bars", "6", "--label", "green", *options).code == 0
    [sheet] = read_tunes("t.abc")
    assert [str(bar.meter) for bar in sheet.bars] == ["3/4"] * 6
    assert sheet.key == "Bb"
    assert all(60 <= note.pitch <= 72 for note in sheet.notes)
    messages = [message for track in mido.MidiFile("t.mid").tracks for message in track]
    assert {message.program for message in messages if message.type == "program_change"} == {73}
    assert len({message.channel for message in messages if message.type == "note_on"}) == 1


def test_jazz_is_swung_unless_told_otherwise(two):
    model = load(two, 1)
    swings = [sheet.swing for sheet in model.improvise(40, bars=1, chords="C7")]
    assert SWING in swings  # also the model's own word, which it has not learned yet
    assert STRAIGHT not in swings
    assert [sheet.swing for sheet in model.improvise(1, bars=2, swing=1.0)] == [1.0]
    assert [sheet.swing for sheet in model.improvise(1, bars=2, swing=1.7)] == [1.7]


def test_a_primer_goes_on_and_phrases_are_joined(gencli, two, folder):
    first, second = folder / "tunes" / "blue" / "tune.abc", folder / "tunes" / "green" / "tune.abc"
    [one], [other] = read_tunes(first), read_tunes(second)
    assert gencli("sample", two, "-o", "on.abc", "--primer", first, "--chords", "A7 | D7", "--bars", "4").code == 0
    [on] = read_tunes("on.abc")
    assert len(on.bars) == 12
    assert on.notes[: len(one.notes)] == one.notes
    assert [change.chord for change in on.changes][-4:] == [parse_chord(name) for name in ("A7", "D7", "A7", "D7")]
    assert gencli("sample", two, "-o", "joined.abc", "--infill", first, second, "--bars", "2").code == 0
    [joined] = read_tunes("joined.abc")
    assert len(joined.bars) == 18
    assert [note.pitch for note in joined.notes][-len(other.notes) :] == [note.pitch for note in other.notes]


def test_without_a_file_a_piano_roll_is_drawn(gencli, two):
    ended = gencli("sample", two, "--chords", "Dm7 | G7", "-n", "2")
    assert ended.code == 0
    assert ended.out.count("Dm7") == 2
    assert [line[0] for line in ended.out.splitlines() if line[:1].isdigit()] == ["1", "2"]
    assert ended.out == gencli("sample", two, "--chords", "Dm7 | G7", "-n", "2").out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--prompt", "x"), "--prompt: belongs to models of texts"),
        (("--json",), "--json: belongs to models of texts"),
        (("--unique",), "--unique: belongs to models of texts"),
        (("-o", "t.txt"), "t.txt: no tune is written as .txt"),
        (("-o", "t"), "t: its name says no format"),
        (("--bars", "0"), "--bars 0: must lie between"),
        (("--key", "H"), "--key H: no key"),
        (("--meter", "4"), "--meter 4: no meter"),
        (("--swing", "hard"), "--swing hard: neither a ratio"),
        (("--swing", "9"), "--swing 9.0: must lie between"),
        (("--tempo", "5"), "--tempo 5.0: must lie between"),
        (("--range", "C5-C4"), "--range C5-C4: pitches lie between"),
        (("--range", "high"), "--range high: no range"),
        (("--chords", "Dm7 | Xyz"), "--chords, bar 2: "),
        (("--label", "red"), "--label red: the model never saw it; one of green"),
        (("--instrument", "sax"), "--instrument sax: unknown"),
        (("--primer", "none.abc"), "none.abc: no such file"),
        (("-o", "no/such/t.mid"), "no/such/t.mid: "),
    ],
)
def test_what_sampling_tunes_refuses(gencli, two, tmp_path, options, line):
    assert gencli("sample", two, *options).error.startswith(line)
    assert list(tmp_path.iterdir()) == []


def test_models_of_texts_refuse_what_belongs_to_tunes(gencli, model):
    for option in (
        ("--bars", "4"),
        ("--chords", "C"),
        ("--backing", "trio"),
        ("--swing", "off"),
        ("--primer", "x.abc"),
    ):
        line = f"{option[0]}: belongs to models of tunes; this one writes texts, leave it out"
        assert gencli("sample", model, *option).error == line


def test_models_of_either_kind_in_python(two, model):
    with pytest.raises(OptionError, match="this model writes tunes"):
        load(two, 1).sample()
    with pytest.raises(OptionError, match="learned from texts"):
        load(model, 1).improvise()
    [sheet] = load(two, 1).improvise(1, bars=3, chords="C | F7", seed=2)
    assert len(sheet.bars) == 3
    assert [change.chord for change in sheet.changes] == [parse_changes("C | F7")[n % 2][0].chord for n in range(3)]


def test_wishes_that_do_not_go_together():
    with pytest.raises(OptionError, match="--primer and --infill: give only one of them"):
        Wishes(primer=SHEET, infill=(SHEET, SHEET))
    with pytest.raises(OptionError, match="--key C: the tune given with --primer has its own"):
        Wishes(primer=SHEET, key="C")
    with pytest.raises(OptionError, match="--tempo"):
        Wishes(tempo=1e9)


def test_ranges_are_numbers_or_names():
    assert parsed_range("G3-A5") == (55, 81)
    assert parsed_range("55-81") == (55, 81)
    assert parsed_range("bb3..F#5") == (58, 78)


# Scoring


def test_scores_are_nats_a_note_and_a_bar(gencli, two, folder):
    path = folder / "tunes" / "blue" / "tune.abc"
    [line] = gencli("score", two, path, "--json").out.splitlines()
    record = json.loads(line)
    [sheet] = read_tunes(path)
    assert (record["notes"], record["bars"]) == (len(sheet.notes), 8)
    assert 0 < record["legal_per_note"] < record["raw_per_note"]
    assert record["raw_per_bar"] * 8 == pytest.approx(record["raw_per_note"] * record["notes"])
    [bits] = gencli("score", two, path, "--json", "--base", "2").out.splitlines()
    assert json.loads(bits)["raw_per_note"] == pytest.approx(record["raw_per_note"] / 0.6931471805599453)
    [table] = gencli("score", two, path, "--json", "--per-token").out.splitlines()
    bars = json.loads(table)["per_bar"]
    assert [bar["chords"] for bar in bars] == ["Dm7", "G7", "Cmaj7", "", "Dm7", "G7", "Cmaj7", ""]
    assert sum(bar["raw"] for bar in bars) == pytest.approx(8 * record["raw_per_bar"])
    assert sum(bar["notes"] for bar in bars) == record["notes"]


def test_scores_as_a_table(gencli, two, folder):
    ended = gencli("score", two, folder / "tunes")
    assert "raw: of the model as it is; legal: renormalised" in ended.err
    lines = [line.split("\t") for line in ended.out.splitlines()]
    assert lines[0] == ["raw/note", "legal/note", "raw/bar", "legal/bar", "notes", "bars", "tune"]
    assert [line[-1].endswith("tune.abc") for line in lines[1:]] == [True, True]
    summary = gencli("score", two, folder / "tunes", "--summary").out.split()
    assert summary[-2:] == ["tunes", "2"]
    per_bar = gencli("score", two, "-f", folder / "tunes" / "blue" / "tune.abc", "--per-token").out.splitlines()
    assert per_bar[1].split("\t") == ["bar", "chords", "notes", "raw", "legal"]
    assert [line.split("\t")[0] for line in per_bar[2:]] == list("12345678")


def test_a_bar_scored_on_its_own_does_not_see_later_notes(two, folder):
    model = load(two, 1)
    [sheet] = read_tunes(folder / "tunes" / "blue" / "tune.abc")
    changed = replace(sheet, notes=(*sheet.notes[:-1], replace(sheet.notes[-1], pitch=sheet.notes[-1].pitch + 1)))
    first, second = model.score_tunes([sheet, changed])
    assert [bar.raw for bar in first.bars[:-1]] == pytest.approx([bar.raw for bar in second.bars[:-1]], rel=1e-5)
    assert first.bars[-1].raw != pytest.approx(second.bars[-1].raw, rel=1e-5)


@pytest.mark.parametrize("options", [("--rank",), ("--next", "3"), ("--no-eos",), ("--oov", "error"), ("--cache",)])
def test_what_scoring_tunes_refuses(gencli, two, folder, options):
    error = gencli("score", two, folder / "tunes", *options).error
    assert error == f"{' '.join(options[: 1 + (options[0] == '--oov')])}: belongs to models of texts; " \
        "this one scores tunes, leave it out"  # fmt: skip


def test_scoring_tunes_needs_files(gencli, two):
    assert gencli("score", two).error.startswith("score: name files of tunes")
    assert gencli("score", two, "none.abc").error == "none.abc: no such file or folder"


def test_the_codec_counts_characters_as_its_text_does(folder):
    corpus = read_corpus([str(folder / "tunes")], level="music")
    codec = MusicCodec.fit(corpus.documents)
    text = corpus.documents[0].text
    ids = codec.encode(text)
    assert codec.token_characters(text).sum() == len(codec.normalised(f" {text} "))
    assert len(codec.token_characters(text)) == len(ids)
    whole, state = "", 0
    for index in ids:
        piece, state = codec.decode_from([index], state)
        whole += piece
    assert whole == codec.decode(ids) == text
    assert NetworkConfig(codec.vocabulary_size, side_sizes=codec.side_sizes).side_sizes == codec.side_sizes
