"""Settings by the size of the text and the time there is, and the evidence for them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gencli.config import CellName, DocumentMode, Level, PresetName


@dataclass(frozen=True)
class Defaults:
    """Settings by the number of training tokens; the first row that holds the corpus applies."""

    tokens: float  # up to this many
    hidden_size: int
    layers: int
    dropout: float
    batch_size: int
    seq_length: int
    epochs: float
    lr: float
    input_dropout: float = 0.0
    weight_dropout: float = 0.0
    weight_decay: float = 0.01
    average: float = 0.0
    embedding_size: int = 0  # where tokens' vectors are not tied to the output's weights
    more_dropout: float = 0.12  # for four times the work
    cell: CellName = "lstm"
    plain_rate: float = 1.0  # upon lr, for a cell that does not normalise in place of one that does


# Short documents (names, lines) by character. By validation loss, median of three splits or seeds:
# dinosaurs (1,372 names) 1.54 nats a token; without vectors and dropout of weights, but more of outputs, 1.57; with
# dropout of 0.4 or 0.3 0.00 or 0.02 more. makemore's 31,033 names 1.88; with dropout of 0.3 or 0.05 0.005 more, without
# vectors 0.01; with dropout of 0.1 or 0.2 of weights 1.879 or 1.890, an rms-lstm 1.878 to 1.890. A state learned for a
# name's beginning (a mark before each) gained nothing: 13.53 nats a name against 13.51.
SHORT_TABLE = (
    Defaults(3_000, 128, 1, 0.5, 8, 32, 60, 0.01, 0.3, 0.4, 0.03, 3, 64),
    Defaults(60_000, 192, 1, 0.5, 8, 32, 20, 0.015, 0.3, 0.4, 0.03, 3, 64),
    Defaults(1_000_000, 192, 1, 0.15, 16, 32, 14, 0.02, 0.1, 0.0, 0.03, 4, 64, 0.17),
    Defaults(10_000_000, 256, 1, 0.05, 32, 32, 4, 0.025, cell="rms-lstm", plain_rate=0.6),
    Defaults(math.inf, 384, 1, 0.0, 32, 48, 0.5, 0.012, cell="rms-lstm", plain_rate=0.6),
)
# Running text by character. Tiny Shakespeare with 192 units after ten seconds: batches of 8 x 32 and a rate of 0.02 are
# at 1.57 nats a character, 16 x 64 at 1.63, 64 x 64 and a rate of 0.004 at 2.04 (lstm, read from end to end).
# Normalised or not: lstm after five passes with 256 units 1.455 and 1.463 (two seeds), rms-lstm 1.437 and 1.434, in the
# same time. Of rms-lstm, with a rate of 0.01 | 0.02 | 0.03 | 0.04 1.446 | 1.444 | 1.439 | 1.440 (dropout 0.12); with
# dropout of 0.03 | 0.06 | 0.12 1.432 | 1.437 | 1.439 (rate 0.03). Weight decay of 0.002 or 0.05 costs 0.015 or 0.05;
# clipped at 0.3 or 4, in passages of 64, or with 320 units for 3.5 passes within 0.006. Ten passes with 352 units:
# dropout of 0.15 | 0.25 | 0.35 1.411 | 1.408 | 1.417, a rate of 0.018 | 0.026 | 0.035 1.406 | 1.408 | 1.408. The Brown
# corpus (4.3 million characters) as a stream 1.337 against 1.358 of the lstm, by line 1.352 against 1.368.
# Shorter texts: the tales (127,748 characters) 1.269 with dropout of weights and twelve passes, medians of three seeds,
# 1.276 without and ten, rms-lstm 1.261; the first 300,000 characters of Shakespeare 1.789, 1.810 and 1.816; the first
# 60,000 2.146 (lstm) and 2.108 (rms-lstm), one seed, whose noise is as large.
# Of the lstm, before texts were read in pieces: a half cosine 0.01 more, vectors 0.05 more; batches that grow from 8 to
# 16 or passages from 16 to 64 steps within 0.01 of 12 x 32 throughout, names 0.00 to 0.01 more. Tried in PyTorch, equal
# steps, one seed: two layers of 160 1.553, with a sum or all inputs skipping to the output 1.531 or 1.517, one layer of
# as many parameters 1.530. Gates normalised, 192 units, two passes in pieces: none 1.541; the recurrent product by its
# root mean square 1.516, the same with gains 1.523 against 1.523 from smaller tables; by mean and deviation with gains
# 1.511; the state before the product 1.78, scaled by 0.25 1.554.
TABLE = (
    Defaults(3_000, 128, 1, 0.5, 8, 32, 60, 0.01, 0.3, 0.4, 0.03, 3, 64),
    Defaults(100_000, 192, 1, 0.25, 8, 32, 20, 0.015, 0.2, 0.3, 0.03, 3, 64),
    Defaults(400_000, 256, 1, 0.3, 8, 32, 12, 0.015, 0.0, 0.2, average=6, more_dropout=0.2),
    Defaults(3_000_000, 256, 1, 0.05, 8, 32, 5, 0.025, average=6, more_dropout=0.17, cell="rms-lstm", plain_rate=0.6),
    Defaults(30_000_000, 384, 1, 0.05, 16, 48, 2, 0.017, cell="rms-lstm", plain_rate=0.6),
    Defaults(math.inf, 512, 1, 0.0, 32, 64, 0.2, 0.012, cell="rms-lstm", plain_rate=0.6),
)
# The same for words, chosen on the bundled tales, tiny Shakespeare and the Brown corpus. In nats a word, lstm and
# rms-lstm: the tales 4.111 and 4.059, another seed 4.023 and 3.964; tiny Shakespeare 3.944 both (at twice the rate
# 3.985); Brown 4.704 (rate 0.004) and 4.683 (0.006).
WORD_TABLE = (
    Defaults(60_000, 256, 1, 0.7, 8, 32, 18, 0.01, 0.4, cell="rms-lstm"),
    Defaults(400_000, 256, 1, 0.6, 16, 32, 12, 0.006, 0.3, cell="rms-lstm"),
    Defaults(3_000_000, 256, 1, 0.5, 32, 35, 8, 0.006, 0.2, cell="rms-lstm", plain_rate=0.6),
    Defaults(math.inf, 512, 1, 0.3, 64, 48, 3, 0.004, 0.1, cell="rms-lstm", plain_rate=0.6),
)
# The same for tunes, chosen while chords were told at every step. The bundled ones: 2.57 nats a note; with 192 units
# 2.61, those without dropout of weights 2.64.
# 256 solos of the Weimar Jazz Database: 4.48; with dropout 0.5 4.50, also with 320 units and 12 passes 4.53.
# In nats a token, lstm and rms-lstm: the bundled ones 1.188 and 1.147, another seed 1.170 and 1.141 (rate 0.008 | 0.012
# 1.156 | 1.166); the solos 1.775 and 1.759 (rate 0.01: 1.761).
MUSIC_TABLE = (
    Defaults(60_000, 256, 1, 0.4, 16, 64, 120, 0.005, 0.0, 0.3, cell="rms-lstm"),
    Defaults(1_000_000, 384, 1, 0.3, 8, 48, 14, 0.006, 0.0, 0.4, 0.02, 4, cell="rms-lstm"),
    Defaults(math.inf, 256, 2, 0.2, 64, 64, 8, 0.003),
)
TABLES = {"char": TABLE, "word": WORD_TABLE, "music": MUSIC_TABLE}
SMALL_VOCABULARY = 4096  # up to here one softmax over all words costs little
HEAD_SHARES = (0.82, 0.93)  # of the training text: what the head, and the head with the first tail, cover

SPEED = 7e10  # parameters times tokens that two cores of a Zen 5 learn from in a second, about, in bfloat16
# More time than this, times a row's, finds nothing more in a small corpus: a row's work four times over, or for every
# 10,000 tokens once. Names (228,000 tokens) gain up to 6 times, tiny Shakespeare (1 million) up to 30.
MOST_WORK, ENOUGH = 4.0, 10_000
PRESETS: dict[PresetName, float] = {"small": 0.25, "medium": 1.0, "large": 4.0}  # times the work of a table's row
UNIT = 32  # hidden sizes are multiples of it: whole registers
SMALLEST, LARGEST = 64, 1024  # of hidden sizes chosen here


def table_for(level: Level, mode: DocumentMode) -> tuple[Defaults, ...]:
    """The table of a level, and for characters of a kind of document."""
    return SHORT_TABLE if level == "char" and mode == "line" else TABLES[level]


def defaults_for(
    level: Level,
    mode: DocumentMode,
    tokens: int,
    minutes: float | None = None,
    preset: PresetName = "medium",
    speed: float = SPEED,
) -> Defaults:
    """The row that holds a corpus of so many tokens, scaled to a preset, or to a budget of minutes at a SPEED.

    Words and tunes keep a row's sizes whatever the minutes.
    """
    row = next(row for row in table_for(level, mode) if tokens <= row.tokens)
    work = PRESETS[preset]
    if minutes is not None and minutes > 0 and level == "char":
        work *= min(60 * minutes / row_seconds(row, tokens, speed), max(MOST_WORK, tokens / ENOUGH))
    return row if work == 1 else scaled(row, work)


def of_cell(row: Defaults, cell: CellName | None) -> Defaults:
    """A row for the cell asked for, None being its own."""
    return row if cell in (None, row.cell) else replace(row, lr=float(f"{row.lr * row.plain_rate:.2g}"))


def row_seconds(row: Defaults, tokens: int, speed: float = SPEED) -> float:
    """About how long a row's training takes: passes over so many tokens by an LSTM's parameters, at a SPEED."""
    units, inputs = row.hidden_size, row.embedding_size
    below = (row.layers - 1) * units + inputs
    parameters = 4 * units * (units * row.layers + below) + 64 * units * (1 if inputs else 5)
    return parameters * tokens * row.epochs / speed


def scaled(row: Defaults, work: float) -> Defaults:
    """A row for so many times its work: parameters grow with the root of it, and so do passes.

    More passes call for more dropout, larger networks for a lower rate. On tiny Shakespeare sizes from 192 units after
    ten seconds to 608 after half an hour came out so.
    """
    units = UNIT * round(row.hidden_size * work**0.25 / UNIT)
    dropout = row.dropout + row.more_dropout * math.log(work, 4)
    return replace(
        row,
        hidden_size=min(max(units, SMALLEST), LARGEST),
        dropout=round(min(max(dropout, 0.0), 0.7), 2),
        epochs=float(f"{row.epochs * work**0.5:.2g}"),
        lr=float(f"{row.lr * min(work**-0.1, 1.5):.2g}"),
    )
