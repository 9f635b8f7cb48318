"""The lean of a trained model's chords, fitted on tunes held out; see music/lean.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.batches import pack_documents
from gencli.codecs.codec import Tokens
from gencli.codecs.music import MusicCodec
from gencli.music.improvise import Reader
from gencli.music.lean import fitted_lean, tone_table
from gencli.music.side import sounding_chords
from gencli.music.vocabulary import Kind

Array = NDArray[Any]
ROWS, STEPS = 16, 64  # the window through which the tunes are read


def with_lean(codec: MusicCodec, reader: Reader, tunes: Tokens) -> MusicCodec:
    """The codec with the lean that suits a network and tunes that it did not learn; as it was where there are none."""
    if len(tunes.ids) == 0 or not codec.vocabulary.qualities:
        return codec
    found = list(_notes_over_chords(codec, reader, tunes))
    shares, heard = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return replace(codec, lean=fitted_lean(shares, heard))


def _notes_over_chords(codec: MusicCodec, reader: Reader, tunes: Tokens) -> Iterator[tuple[Array, Array]]:
    """Window by window, of notes that begin over a chord: the share of all pitches' probability that the network gives
    to tones of the chord (n,), and whether the note is one (n,)."""
    vocabulary = codec.vocabulary
    pitches, table = vocabulary.block(Kind.PITCH), tone_table(vocabulary)
    chords = sounding_chords(vocabulary, np.asarray(tunes.ids, np.int32), tunes.lengths)
    rows = pack_documents(tunes, min(ROWS, len(tunes.lengths)), STEPS, whole_documents=True)
    state = reader.state(len(rows.bounds) - 1)
    for window in range(len(rows)):
        batch = rows.batch(window)
        logits = reader.logits(batch.inputs, batch.starts, batch.side, state)
        chord = chords[rows.positions(window)]
        chosen = (batch.weights > 0) & (vocabulary.kinds[batch.targets] == Kind.PITCH) & (chord > 0)
        own, tones = logits[chosen][:, pitches].astype(np.float64), table[chord[chosen]]
        likely = np.exp(own - own.max(axis=1, keepdims=True))
        yield (
            (likely * tones).sum(axis=1) / likely.sum(axis=1),
            tones[np.arange(len(tones)), batch.targets[chosen] - pitches.start],
        )
