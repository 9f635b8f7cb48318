"""The grammar: all it lets through are tunes, every tune gets through, each rule holds whatever the model wants."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gencli.codecs.music import MusicCodec, tune_text
from gencli.documents import Document
from gencli.errors import OptionError
from gencli.music.changes import lay_out, parse_changes
from gencli.music.chords import Chord
from gencli.music.course import Phase
from gencli.music.form import (
    STRUCTURE,
    Form,
    Rules,
    beat_ticks,
    continued,
    form_of,
    lay_bars,
    strong_ticks,
)
from gencli.music.grammar import Grammar
from gencli.music.lead_sheet import Bar, Change, LeadSheet, Meter, Note
from gencli.music.loops import HOLD, REST, extended, loop_ends
from gencli.music.vocabulary import Kind
from tests.music_cases import METERS, bars, chords, sheets
from tests.reference import music_tokens as reference

FOUR, THREE, SIX = Meter(4, 4), Meter(3, 4), Meter(6, 8)
KNOWN = LeadSheet(  # so that the vocabulary has the pitches 48 ... 84 and some chords, meters and labels
    notes=(Note(0, 12, 54), Note(12, 12, 78)),
    changes=tuple(
        Change(at, Chord(0, quality, 4)) for at, quality in enumerate(("7", "m7", "maj7", "m7b5", "7b9", "6/9"))
    ),
    bars=(Bar(0, 48, FOUR), Bar(48, 36, THREE), Bar(84, 36, SIX), Bar(120, 48, Meter(2, 2))),
    label="jazz",
)
CODEC = MusicCodec.fit([Document(tune_text(KNOWN))])
WORDS = CODEC.vocabulary
CHANGES = "Dm7 G7b9 | Cmaj7/E | % | F#m7b5 B7alt"


def ids_of(*names):
    return [WORDS.id_of(name) for name in names]


def wander(grammar, choose, most=5000):
    """A tune of which `choose(legal ids, state)` draws every token that is not forced; and the number of choices."""
    state, ids, choices = grammar.start(), [], []
    while state.phase != Phase.DONE:
        mask = grammar.allowed(state)
        assert mask.any(), (state, [grammar.vocabulary.names[i] for i in ids[-8:]])
        legal = np.flatnonzero(mask)
        choices.append(len(legal))
        ids.append(int(legal[0] if len(legal) == 1 else choose(legal, state)))
        grammar.advance(state, ids[-1])
        assert len(ids) < most
    assert not grammar.allowed(state).any()
    return np.array(ids, np.int32), choices


def at_random(seed, scale=0.0):
    """Draws from random logits; with a scale it has strong whims."""
    rng = np.random.default_rng(seed)

    def choose(legal, state):
        logits = rng.normal(size=len(legal)) * scale + rng.gumbel(size=len(legal))
        return legal[np.argmax(logits)]

    return choose


def stubborn(*names, rest=None):
    """Always takes the first of these tokens that is legal, else what `rest` takes."""
    wanted, rest = ids_of(*names), rest or at_random(0)

    def choose(legal, state):
        return next((index for index in wanted if index in legal), None) or rest(legal, state)

    return choose


def written(ids):
    """The tune of ids: by the reference, which refuses malformed ones, and as a sheet."""
    tune = reference.decode([WORDS.names[index] for index in ids])
    sheet = CODEC.decode_sheet(ids)
    assert [(note.start, note.duration, note.pitch) for note in sheet.notes] == tune["notes"]
    return sheet


# The structure


@settings(deadline=None, derandomize=True, max_examples=150)
@given(sheets(), st.sampled_from(["told", "untold", "free"]))
def test_every_tune_gets_through(sheet, how):
    codec = MusicCodec.fit([Document(tune_text(tune)) for tune in (sheet, KNOWN)])
    form = {"told": form_of(sheet), "untold": form_of(sheet, with_changes=False), "free": Form()}[how]
    grammar = Grammar(codec.vocabulary, form)
    state, ids = grammar.start(), codec.encode_sheet(sheet)
    side = codec.side(ids, np.array([len(ids)]), told=how == "told")
    forced = 0
    for place, index in enumerate(ids.tolist()):
        mask = grammar.allowed(state)
        assert mask[index], (place, codec.symbol(index))
        assert grammar.side(state).tolist() == side[:, place].tolist()
        forced += mask.sum() == 1
        before = state.copy()
        grammar.advance(state, index)
        assert (grammar.side(before) == side[:, place]).all()
    assert state.phase == Phase.DONE
    kinds = Counter(codec.vocabulary.kinds[ids].tolist())
    given_kinds = [Kind.METER, Kind.LENGTH, Kind.BAR, Kind.END] if how != "free" else []
    given_kinds += [Kind.CHORD, Kind.BASS] if how == "told" else []
    assert forced >= sum(kinds[kind] for kind in given_kinds)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(bars(), st.lists(st.tuples(st.integers(0, 400), chords()), max_size=5), st.booleans(), st.integers(0, 2**32))
def test_what_gets_through_is_a_tune_and_written_the_one_way(layout, given_changes, told, seed):
    end = layout[-1].start + layout[-1].length
    changes = tuple(Change(start, chord) for start, chord in sorted(dict(given_changes).items()) if start < end)
    rules = replace(STRUCTURE, unknown=False)
    form = Form(layout=layout, changes=changes if told else None)
    ids, _ = wander(Grammar(WORDS, form, rules), at_random(seed, scale=3.0), most=50_000)
    sheet = written(ids)
    assert [bar.length for bar in sheet.bars] == [bar.length for bar in layout]
    assert CODEC.encode_sheet(sheet).tolist() == ids.tolist()
    if told:
        nearest = [(change.start, WORDS.chord_id(change.chord)) for change in changes]
        assert [(change.start, WORDS.chord_id(change.chord)) for change in sheet.changes] == nearest


@pytest.mark.parametrize("seed", range(20))
def test_free_bars_are_tunes_too(seed):
    rest = at_random(seed)

    def choose(legal, state):
        return int(Kind.END) if legal[0] == Kind.END and state.bars > 6 else rest(legal, state)

    ids, _ = wander(Grammar(WORDS, Form(), replace(STRUCTURE, unknown=False)), choose, most=100_000)
    assert CODEC.encode_sheet(written(ids)).tolist() == ids.tolist()


def test_the_grammar_counts_every_melody_once():
    """Two bars of 1/16, two pitches: as many token sequences as there are melodies, counted tick by tick."""
    layout = lay_bars(2, Meter(1, 16))
    form = Form(layout=layout, label="", key="C", tempo=120.0, swing=1.0)
    grammar = Grammar(WORDS, form, replace(STRUCTURE, lowest=60, highest=61, unknown=False, strong_changes=True))
    told = Grammar(WORDS, replace(form, changes=()), grammar.rules)

    def sequences(grammar, state):
        if state.phase == Phase.DONE:
            return 1
        total = 0
        for index in np.flatnonzero(grammar.allowed(state)).tolist():
            after = state.copy()
            grammar.advance(after, index)
            total += sequences(grammar, after)
        return total

    resting, sounding = 1, 2  # ways to fill the first tick
    for _ in range(5):
        resting, sounding = resting + sounding, 2 * (resting + sounding) + sounding  # rest; begin anew or hold on
    assert sequences(told, told.start()) == resting + sounding


def test_probabilities_sum_to_one_over_all_tunes():
    layout = lay_bars(1, Meter(1, 16))
    changes = (Change(2, Chord(0, "7")),)
    form = Form(layout=layout, changes=changes, label="", key="C", tempo=120.0, swing=1.0)
    grammar = Grammar(WORDS, form, Rules(lowest=60, highest=64, settle=True))
    rng = np.random.default_rng(3)
    total = 0.0
    stack = [(grammar.start(), 1.0)]
    while stack:
        state, share = stack.pop()
        if state.phase == Phase.DONE:
            total += share
            continue
        legal = np.flatnonzero(grammar.allowed(state))
        shares = np.exp(rng.normal(size=len(legal)))
        for index, part in zip(legal.tolist(), shares / shares.sum(), strict=True):
            after = state.copy()
            grammar.advance(after, index)
            stack.append((after, share * part))
    assert math.isclose(total, 1.0, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        ([], "P60"),
        (["LABEL_?", "METER_4/4", "SWING_1", "TEMPO_120"], "BAR"),
        (["LABEL_?", "METER_4/4", "SWING_1", "TEMPO_120", "KEY_C"], "R"),
        (["LABEL_?", "METER_4/4", "SWING_1", "TEMPO_120", "KEY_C", "BAR"], "D12"),
        (["LABEL_?", "METER_4/4", "SWING_1", "TEMPO_120", "KEY_C", "BAR", "P60"], "P62"),
        (["LABEL_?", "METER_4/4", "SWING_1", "TEMPO_120", "KEY_C", "BAR", "P60", "D36", "R"], "D13"),
        (["LABEL_?", "METER_4/4", "SWING_1", "TEMPO_120", "KEY_C", "BAR", "P60", "D48"], "<EOS>"),  # one more is asked
    ],
)
def test_a_token_out_of_place_is_refused(told, refused):
    grammar = Grammar(WORDS, Form(bars=2, label=""))
    state = grammar.start()
    for index in ids_of(*told):
        grammar.advance(state, index)
    assert not grammar.allowed(state)[WORDS.index[refused]]
    with pytest.raises(ValueError, match=f"{refused} cannot stand here"):
        grammar.advance(state, WORDS.index[refused])


# Random models under the rules


def violations(sheet, rules, changes):
    """What an acceptance test would find fault with."""
    found = []
    pitches = [note.pitch for note in sheet.notes]
    found += ["range"] * any(not rules.lowest <= pitch <= rules.highest for pitch in pitches)
    found += ["leap"] * any(abs(a - b) > rules.leap for a, b in pairwise(pitches))
    found += ["repeat"] * any(len(set(pitches[at : at + 5])) == 1 for at in range(len(pitches) - 4))
    grid = reference.cells({"bars": [(b.length, "") for b in sheet.bars], "notes": [
        (note.start, note.duration, note.pitch) for note in sheet.notes]})  # fmt: skip
    heard = [
        tuple((note is not None and pitches[note], note is not None and sheet.notes[note].start == tick)
              for tick, note in enumerate(grid[bar.start : bar.start + bar.length], bar.start))
        for bar in sheet.bars
    ]  # fmt: skip
    for period in (1, 2):
        for at in range(len(heard) - 3 * period + 1):
            loop = heard[at : at + 3 * period]
            found += ["loop"] * (loop[period:] == loop[:-period])
    last, bar = sheet.notes[-1] if sheet.notes else Note(0, 0, 0), sheet.bars[-1]
    found += ["last note"] * (last.duration < min(beat_ticks(bar.meter), bar.length))
    chord = changes[-1].chord if changes else None
    found += ["last tone"] * (chord is not None and last.pitch % 12 not in chord.pitch_classes())
    found += ["last chord"] * (bool(changes) and last.end <= changes[-1].start)
    return found


WRITING = [
    (meter, pickup, told, seed)
    for seed, (meter, pickup) in enumerate((m, p) for m in METERS for p in (0, 6, 12, 17))
    for told in (True, False)
]


@pytest.mark.parametrize("scale", [0.0, 4.0])
def test_random_models_write_tunes_that_keep_the_rules(scale):
    """Mixed meters, pickups, given and own changes: more than 2,000 bars each time, none malformed."""
    count = 0
    rules = Rules(lowest=52, highest=79)
    for meter, pickup, told, seed in WRITING:
        size = 16 + seed % 9 * 6
        layout = lay_bars(size, meter, pickup)
        changes = lay_out(parse_changes(CHANGES, meter), layout) if told else None
        grammar = Grammar(WORDS, Form(layout=layout, changes=changes, label="jazz"), rules)
        ids, choices = wander(grammar, at_random(seed, scale), most=50_000)
        sheet = written(ids)
        assert [bar.length for bar in sheet.bars] == [bar.length for bar in layout]
        assert violations(sheet, rules, sheet.changes if changes is None else changes) == []
        if changes is not None:
            assert [change.start for change in sheet.changes] == [change.start for change in changes]
            chord_places = np.isin(WORDS.kinds[ids], (Kind.CHORD, Kind.BASS))
            assert (np.array(choices)[chord_places] == 1).all()
        count += len(layout)
    assert count > 2000


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    bars(most=4),
    st.lists(st.tuples(st.integers(0, 300), chords()), max_size=6),
    st.booleans(),
    st.tuples(st.integers(48, 84), st.integers(0, 14), st.integers(0, 13), st.integers(0, 4), st.integers(0, 3)),
    st.integers(0, 2**32),
)
def test_no_choice_leads_to_where_nothing_may_follow(layout, given_changes, told, numbers, seed):
    lowest, width, leap, repeats, loops = numbers
    end = layout[-1].start + layout[-1].length
    changes = tuple(Change(start, chord) for start, chord in sorted(dict(given_changes).items()) if start < end)
    rules = Rules(lowest, min(lowest + width, 84), leap, repeats, loops)
    grammar = Grammar(WORDS, Form(layout=layout, changes=changes if told else None), rules)
    ids, _ = wander(grammar, at_random(seed, scale=5.0), most=50_000)
    sheet = written(ids)
    assert [bar.length for bar in sheet.bars] == [bar.length for bar in layout]
    last = sheet.notes[-1]
    assert last.duration >= min(beat_ticks(layout[-1].meter), layout[-1].length)
    assert all(rules.lowest <= note.pitch <= rules.highest for note in sheet.notes)
    known = changes if told else sheet.changes
    tones = known[-1].chord.pitch_classes() if known and known[-1].chord else range(12)
    if any(pitch % 12 in tones for pitch in range(rules.lowest, rules.highest + 1)):
        assert last.pitch % 12 in tones


# Each rule against a model that wants to break it


def solo(choose, rules, size=8, changes="C7", meter=FOUR):
    """What a stubborn model writes."""
    layout = lay_bars(size, meter)
    told = None if changes is None else lay_out(parse_changes(changes, meter), layout)
    return written(wander(Grammar(WORDS, Form(layout=layout, changes=told), rules), choose)[0])


ALONE = replace(STRUCTURE, unknown=False)


def test_the_range_holds():
    high = stubborn("P84", "P83", "D6")
    assert {note.pitch for note in solo(high, ALONE).notes} == {84}
    assert {note.pitch for note in solo(high, replace(ALONE, highest=83)).notes} == {83}
    with pytest.raises(OptionError, match=r"^--range 20-30: the model knows pitches 48 to 84 alone"):
        Grammar(WORDS, Form(), Rules(lowest=20, highest=30))
    with pytest.raises(OptionError, match="the lower pitch comes first"):
        Rules(lowest=70, highest=60)


@pytest.mark.parametrize("leap", [1, 7, 12])
def test_leaps_hold(leap):
    def widest(legal, state):
        pitches = [index for index in legal if WORDS.kinds[index] == Kind.PITCH]
        if not pitches:
            return WORDS.index["D6"] if WORDS.index["D6"] in legal else legal[-1]
        return max(pitches, key=lambda index: abs(int(WORDS.values[index]) - (state.pitch or 60)))

    free, held = (solo(widest, replace(ALONE, leap=limit)) for limit in (0, leap))
    assert max(abs(a.pitch - b.pitch) for a, b in pairwise(free.notes)) > 12
    assert {abs(a.pitch - b.pitch) for a, b in pairwise(held.notes)} == {leap}


def test_a_pitch_is_repeated_four_times_at_most():
    same = stubborn("P60", "P62", "D6")
    assert {note.pitch for note in solo(same, ALONE).notes} == {60}
    pitches = [note.pitch for note in solo(same, replace(ALONE, repeats=4)).notes]
    assert pitches[:10] == [60, 60, 60, 60, 62, 60, 60, 60, 60, 62]


def test_rests_between_do_not_hide_a_repetition():
    def choose(legal, state):
        wanted = ["D6"] + (["R"] if state.sounding else ["P60", "P62"])
        return next((WORDS.index[name] for name in wanted if WORDS.index[name] in legal), legal[0])

    pitches = [note.pitch for note in solo(choose, replace(ALONE, repeats=2)).notes]
    assert pitches[:6] == [60, 60, 62, 60, 60, 62]


@pytest.mark.parametrize(
    ("names", "period"),
    [(("P60", "D12"), 1), (("R", "D48"), 1), (("H", "P60", "D48"), 1), (("P60", "D1"), 1), (("H", "P60", "D24"), 1)],
    ids=["quarters", "rests", "a note that never ends", "the shortest notes", "halves tied"],
)
def test_a_bar_stands_twice_in_a_row_at_most(names, period):
    def heard(sheet):
        grid = reference.decode(reference.encode({
            "header": ["LABEL_?", "METER_4/4", "SWING_1", "TEMPO_?", "KEY_?"], "changes": [],
            "bars": [(48, "4/4")] * len(sheet.bars),
            "notes": [(note.start, note.duration, note.pitch) for note in sheet.notes]}))  # fmt: skip
        tokens = " ".join(reference.encode(grid)).split("BAR")[1:]
        return [bar.strip() for bar in tokens]

    for rules, most in ((ALONE, 8), (replace(ALONE, loops=2), 2), (replace(ALONE, loops=1), 1)):
        tune = heard(solo(stubborn(*names), rules, changes="C7 | F7"))
        # The first bar of a note that goes on differs from the rest.
        runs = [1]
        for before, bar in pairwise(tune):
            runs.append(runs[-1] + 1 if bar == before else 1)
        assert max(runs) == most - (most == 8 and names[0] == "H")


def test_two_bars_in_turn_stand_twice_at_most():
    def choose(legal, state):
        wanted = ["P60" if state.bars % 2 else "P64", "D48"]
        return next((WORDS.index[name] for name in wanted if WORDS.index[name] in legal), legal[-1])

    assert [note.pitch for note in solo(choose, ALONE).notes] == [60, 64] * 4
    kept = solo(choose, replace(ALONE, loops=2)).notes
    assert [note.pitch for note in kept[:6]] == [60, 64] * 3
    assert [note.duration for note in kept[:6]] == [48] * 5 + [47]  # what would be the third time is broken off


def test_figures_and_loops():
    figure = ()
    for place, event in ((0, HOLD), (6, HOLD), (12, REST), (24, REST), (30, 60), (36, HOLD), (40, REST)):
        figure = extended(figure, place, event)
    assert figure == ((0, HOLD), (12, REST), (30, 60), (40, REST))
    a, b, c = ((0, 60),), ((0, 62),), ((0, 64),)
    assert loop_ends((c, a, a), 2) == (a,)
    assert loop_ends((a, b, a), 2) == ()
    assert loop_ends((a, b, a, b, a), 2) == (b,)
    assert loop_ends((a, a, a, a, a), 2) == (a, a)
    assert loop_ends((a, a, a), 0) == ()
    assert loop_ends((a,), 1) == (a,)


@pytest.mark.parametrize("meter", METERS, ids=str)
@pytest.mark.parametrize("changes", ["Dm7 | C7", "C7 F7", "Fm7 | N.C.", None])
@pytest.mark.parametrize(
    "names",
    [("R", "D48"), ("P61", "D3"), ("P61", "H", "D48", "D24"), ("R", "P60", "D1"), ("H", "P60", "P62", "D5"),
     ("C:Db:7", "P60", "D7")],
    ids=" ".join,
)  # fmt: skip
def test_the_last_note_settles(meter, changes, names):
    rules = replace(ALONE, settle=True, strong_changes=True)
    for size in (1, 2, 3):
        sheet = solo(stubborn(*names), rules, size, changes, meter)
        told = sheet.changes if changes is None else lay_out(parse_changes(changes, meter), sheet.bars)
        faults = violations(sheet, replace(rules, leap=127), told)
        assert not {"last note", "last tone", "last chord"} & set(faults), (size, faults)


def test_without_the_rule_nothing_settles():
    sheet = solo(stubborn("P61", "D3"), ALONE, 2, "Dm7 | C7")
    assert violations(sheet, replace(ALONE, leap=127), sheet.changes)[-2:] == ["last note", "last tone"]


def test_a_range_without_a_chord_tone_ends_on_what_there_is():
    sheet = solo(at_random(1), Rules(lowest=61, highest=63), 4, "C7")
    assert sheet.notes[-1].duration >= 12
    assert {note.pitch for note in sheet.notes} <= {61, 62, 63}


def test_a_range_of_one_pitch_is_all_it_takes():
    sheet = solo(at_random(2), Rules(lowest=60, highest=60), 6, "C7")
    assert {note.pitch for note in sheet.notes} == {60}


# Changes of the model's own


@pytest.mark.parametrize(
    ("meter", "strong"),
    [(FOUR, {0, 24}), (THREE, {0, 24}), (SIX, {0, 18}), (Meter(2, 2), {0, 24}), (Meter(2, 4), {0}),
     (Meter(5, 4), {0, 24}), (Meter(12, 8), {0, 36}), (Meter(9, 8), {0, 36}), (Meter(4, 2), {0, 48}),
     (Meter(3, 8), {0})],
    ids=str,
)  # fmt: skip
def test_where_changes_may_fall(meter, strong):
    assert strong_ticks(meter) == strong


@pytest.mark.parametrize("meter", METERS, ids=str)
@pytest.mark.parametrize(("names", "basses"), [(("C:NC", "C:F:7"), {0}), (("C:C:7", "C:F:7", "C:NC"), {0, 4})])
def test_own_changes_fall_on_beats_one_and_three_and_go_somewhere(meter, names, basses):
    eager = stubborn(*names, "B:C", "B:E", "D6")
    layout = lay_bars(12, meter, pickup=6)
    grammar = Grammar(WORDS, Form(layout=layout), Rules())
    sheet = written(wander(grammar, eager)[0])
    starts = {bar.start: bar for bar in layout}
    for change in sheet.changes:
        bar = max((bar for bar in layout if bar.start <= change.start), key=lambda bar: bar.start)
        assert change.start - bar.start + (meter.ticks - bar.length) in strong_ticks(meter)
    assert not any(change.start < layout[1].start for change in sheet.changes), "none in a pickup this short"
    assert all(change.start in starts for change in sheet.changes if change.start >= layout[-1].start)
    assert sheet.changes[0].chord is not None
    assert all(a.chord != b.chord for a, b in pairwise(sheet.changes))
    assert len(sheet.changes) >= 12
    assert {change.chord.bass for change in sheet.changes if change.chord} == basses
    assert all(change.chord.bass != change.chord.root for change in sheet.changes if change.chord)


@pytest.mark.parametrize("pickup", [0, 12])
def test_the_first_full_bar_begins_with_a_chord_where_that_is_asked(pickup):
    shy = stubborn("R", "P60", "D12", rest=stubborn("D24"))
    layout = lay_bars(4, FOUR, pickup)
    for rules, starts in ((ALONE, []), (replace(ALONE, chord_first=True), [pickup])):
        sheet = written(wander(Grammar(WORDS, Form(layout=layout), rules), shy)[0])
        assert [change.start for change in sheet.changes] == starts
    told = Grammar(WORDS, Form(layout=layout, changes=()), replace(ALONE, chord_first=True))
    assert written(wander(told, shy)[0]).changes == ()


def test_a_structure_may_change_anywhere():
    def choose(legal, state):
        wanted = ["C:C:7", "D5", "R"] if state.chord != 2 else ["C:F:7", "D5"]
        return next((WORDS.index[name] for name in wanted if WORDS.index[name] in legal), legal[-1])

    starts = [change.start for change in solo(choose, ALONE, changes=None).changes]
    assert starts[:4] == [0, 5, 10, 15]


# The form


def test_the_header_is_what_the_form_says():
    form = Form(bars=3, pickup=12, meter=SIX, label="jazz", key="Gb", tempo=131.0, swing=1.6)
    ids, choices = wander(Grammar(WORDS, form, Rules()), at_random(0))
    assert (
        CODEC.decode(ids[:8]) == "LABEL_jazz METER_6/8 SWING_1.5 TEMPO_120 KEY_F# LENGTH_12 BAR " + WORDS.names[ids[7]]
    )
    assert choices[:7] == [1] * 7
    assert [bar.length for bar in written(ids).bars] == [12, 36, 36, 36]


def test_what_the_form_leaves_open_is_drawn():
    ids, choices = wander(Grammar(WORDS, Form(bars=5), Rules()), stubborn("METER_3/4", "LABEL_?", "KEY_?"))
    assert choices[:5] == [2, 4, 7, 14, 25]
    assert [str(bar.meter) for bar in written(ids).bars] == ["3/4"] * 5
    assert CODEC.decode_sheet(ids).key is None


def test_a_foreign_meter_is_written_in_bars_of_its_length():
    seven = Meter(7, 8)
    ids, _ = wander(Grammar(WORDS, Form(bars=4, meter=seven), Rules()), at_random(5))
    assert [bar.length for bar in written(ids).bars] == [42] * 4


def test_a_primer_is_continued_in_its_last_meter():
    primer = replace(KNOWN, changes=(Change(0, Chord(0, "7")), Change(30, Chord(5, "7"))), tempo=100.0)
    form = continued(primer, 3, (Change(0, Chord(2, "m7")), Change(24, Chord(7, "7"))))
    assert form.layout == (*primer.bars, *lay_bars(3, Meter(2, 2), start=168))
    assert [change.start for change in form.changes] == [0, 30, 168, 192]
    assert (form.label, form.tempo) == ("jazz", 100.0)
    grammar = Grammar(WORDS, form, Rules())
    state = grammar.start()
    for index in CODEC.encode_sheet(primer, eos=False).tolist():
        grammar.advance(state, index)  # the primer need not keep the rules: its second note is two octaves higher
    assert (state.bars, state.phase) == (4, Phase.BARLINE)
    assert continued(primer, 2).changes is None


def test_a_vocabulary_without_chords_writes_none():
    codec = MusicCodec.fit([Document(tune_text(replace(KNOWN, changes=())))])
    for rules in (Rules(), Rules(chord_first=True), STRUCTURE):
        grammar = Grammar(codec.vocabulary, Form(bars=4, meter=FOUR), rules)
        sheet = codec.decode_sheet(wander(grammar, at_random(1))[0])
        assert (sheet.changes, [bar.length for bar in sheet.bars]) == ((), [48] * 4)


def test_given_chords_without_chord_tokens_still_settle_the_end():
    codec = MusicCodec.fit([Document(tune_text(replace(KNOWN, changes=())))])
    layout = lay_bars(4, FOUR)
    form = Form(layout=layout, changes=lay_out(parse_changes("Gb7"), layout))
    grammar = Grammar(codec.vocabulary, form, Rules())
    assert grammar.side(grammar.start()).tolist() == [0, 0, 97, 0, 0] + [0] * 12
    for seed in range(10):
        sheet = codec.decode_sheet(wander(grammar, at_random(seed))[0])
        assert sheet.changes == ()
        assert sheet.notes[-1].pitch % 12 in (6, 10, 1, 4)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: Form(bars=0), "--bars 0"),
        (lambda: Form(pickup=-1), "pickup"),
        (lambda: Form(layout=()), "without bars"),
        (lambda: Rules(leap=-1), "0 .any. or above"),
    ],
)
def test_impossible_forms_are_option_errors(make, fault):
    with pytest.raises(OptionError, match=fault):
        make()
