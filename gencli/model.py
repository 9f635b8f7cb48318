"""A trained model in a Python program: load it, sample from it, score with it; or train one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gencli.choices import Choices
from gencli.codecs.music import MusicCodec
from gencli.config import TEMPERATURES, Precision, SampleConfig, check
from gencli.errors import ModelFileError, OptionError
from gencli.improvising import Wishes, improvise
from gencli.kernels.threads import Team, default_threads
from gencli.model_file import ModelInfo, StoredModel, read_model
from gencli.music.lead_sheet import LeadSheet
from gencli.music.tunes import read_tunes
from gencli.network import Network
from gencli.precision import settled_precision
from gencli.recipe import document_hash, make_plan
from gencli.sampling import BATCH, Drawn, Sampler
from gencli.scoring import Score, Scorer, grouped, next_tokens
from gencli.training import Training
from gencli.tune_scoring import TuneScore, score_sheets

ATTEMPTS = 100  # samples drawn for each one wanted before --unique or --novel gives up


@dataclass(frozen=True)
class Sample:
    """A text that a model wrote."""

    text: str  # the prompt and what follows it
    tokens: int  # <EOS> included
    logprob: float  # nats, of the whole text under the model itself: temperature 1, nothing cut off
    finish: Literal["eos", "length", "stop"]
    novel: bool | None  # whether it is none of the corpus's documents; None where the corpus was one long text
    seed: int
    index: int  # which of the seed's samples


class Model:
    """A trained network with its vocabulary and history."""

    def __init__(self, stored: StoredModel, threads: int | None = None, precision: Precision = "float32") -> None:
        check(threads is None or threads >= 1, f"--threads {threads}: must be at least 1")
        self.stored, self.codec = stored, stored.codec
        self.network = Network(stored.network, Team(threads or default_threads()), halved=precision == "bfloat16")
        self.network.load(stored.tensors)

    def __repr__(self) -> str:
        network = self.stored.network
        shape = f"{network.cell}, {network.layers} x {network.hidden_size} units, {network.vocabulary_size} symbols"
        return f"Model({self.info.name!r}: {shape})"

    @property
    def info(self) -> ModelInfo:
        """What it learned from, and how."""
        return self.stored.info

    @property
    def writes_ends(self) -> bool:
        """Whether it learned where documents end; one trained on a stream did not."""
        return self.info.documents != "stream"

    def unknown(self, text: str) -> list[str]:
        """The distinct symbols of a text that the vocabulary lacks, in order of appearance."""
        return self.codec.unknown(text)

    def sample(
        self,
        n: int = 1,
        prompt: str = "",
        *,
        unique: bool = False,
        novel: bool = False,
        strict: bool = False,
        **settings: Any,
    ) -> list[Sample]:
        """`n` samples, fewer where unique or novel ones cannot be found.

        `settings`: temperature (0.8; 0 = the likeliest), top_k (0 = all), top_p (1.0), max_length (500 tokens after the
        prompt), min_length (0), stop (a tuple of texts), seed (1), repetition_penalty (1.0), allow_unk (False); see
        config.SampleConfig.

        Symbols of the prompt that the vocabulary lacks are left out, words read as <UNK>; with `strict` both raise
        OptionError.
        """
        return list(self.samples(n, prompt, SampleConfig(**settings), unique=unique, novel=novel, strict=strict))

    def samples(
        self,
        n: int,
        prompt: str,
        config: SampleConfig,
        *,
        unique: bool = False,
        novel: bool = False,
        strict: bool = False,
    ) -> Iterator[Sample]:
        """The seed's samples in order of their numbers, those that `unique` and `novel` ask for, until there are n."""
        check(n >= 1, f"--count {n}: must be at least 1")
        check(self.codec.level != "music", "sample: this model writes tunes; ask it to improvise")
        check(not novel or self.writes_ends, "--novel: this model learned from one long text, not from documents")
        sampler = Sampler(self.network, self.codec, config, self.known_part(prompt, strict), self.writes_ends)
        seen: set[str] = set()
        found, begin, limit = 0, 0, n * (ATTEMPTS if unique or novel else 1)
        while found < n and begin < limit:
            # What is drawn beyond need costs time but changes nothing: a sample depends on its number alone.
            end = min(begin + min(BATCH, max(n - found, 16 if unique or novel else 1)), limit)
            for drawn in sampler.draw(range(begin, end)):
                sample = self._judged(drawn, config.seed)
                if (unique and sample.text in seen) or (novel and not sample.novel):
                    continue
                seen.add(sample.text)
                yield sample
                found += 1
                if found == n:
                    return
            begin = end

    def improvise(self, n: int = 1, begin: int = 0, **wishes: Any) -> list[LeadSheet]:
        """`n` tunes of a model of tunes, from the seed's number `begin` on; gencli.music.writing puts them into files.

        `wishes`: bars, chords, key, tempo, meter, swing, range, label, primer and infill (sheets, or files of tunes);
        see improvising.Wishes. And temperature (1.0), top_k, top_p and seed (1). Raises OptionError.
        """
        codec = self._tunes("improvise")
        check(n >= 1, f"--count {n}: must be at least 1")
        drawing = {name: wishes.pop(name) for name in ("temperature", "top_k", "top_p", "seed") if name in wishes}
        drawing.setdefault("temperature", TEMPERATURES["music"])
        for name in ("primer", "infill"):
            if wishes.get(name) is not None:
                wishes[name] = _sheets(wishes[name])
        return improvise(self.network, codec, Wishes(**wishes), SampleConfig(**drawing), range(begin, begin + n))

    def score_tunes(self, tunes: Sequence[LeadSheet | str | Path]) -> list[TuneScore]:
        """How probable the melodies of tunes are, given their chords; sheets, or files of one tune."""
        sheets = [_sheets(tune) for tune in tunes]
        return list(score_sheets(self.network, self._tunes("score_tunes"), sheets))

    def _tunes(self, what: str) -> MusicCodec:
        """The codec of a model of tunes; OptionError for another."""
        if not isinstance(self.codec, MusicCodec):
            raise OptionError(f"{what}: this model learned from texts, not from tunes; train one on tunes")
        return self.codec

    def stream(self, prompt: str, config: SampleConfig, *, strict: bool = False) -> Iterator[str]:
        """The seed's first sample in pieces, as they are drawn; together the text of `sample(1, prompt)`."""
        return Sampler(self.network, self.codec, config, self.known_part(prompt, strict), self.writes_ends).stream()

    def known_part(self, prompt: str, strict: bool) -> str:
        """The prompt as samples begin with it, see `Codec.opening`; OptionError for unknown symbols if `strict`."""
        lacking = self.unknown(prompt) if strict else []
        if lacking:
            names = ", ".join(repr(symbol) for symbol in lacking)
            raise OptionError(f"--prompt: the model has never seen {names}; leave that out, or drop --strict")
        return self.codec.opening(prompt)

    def _judged(self, drawn: Drawn, seed: int) -> Sample:
        novel = self.is_novel(drawn.text) if self.writes_ends else None
        return Sample(drawn.text, drawn.tokens, drawn.logprob, drawn.finish, novel, seed, drawn.index)

    def is_novel(self, text: str) -> bool:
        """Whether a text is none of the documents of the corpus that the model learned from."""
        hashes, wanted = self.stored.hashes, np.uint64(document_hash(self.codec.normalised(text)))
        place = int(np.searchsorted(hashes, wanted))
        return place == len(hashes) or bool(hashes[place] != wanted)

    def scorer(self, **settings: bool) -> Scorer:
        """What scores texts in batches; the settings are those of scoring.Scorer."""
        return Scorer(self.network, self.codec, self.info.documents, **settings)

    def score(self, text: str, *, eos: bool = True) -> Score:
        """How probable one text is; without `eos` its end is not scored."""
        return next(self.scores([text], eos=eos))

    def scores(self, texts: Iterable[str], **settings: bool) -> Iterator[Score]:
        """How probable each of many texts is, in their order.

        `settings`: eos (True: ends are scored), carry_state (False; True: they are lines of one document), cache
        (False; True: tokens read lately are more probable), with_oov (True); see scoring.Scorer.
        """
        scorer = self.scorer(**settings)
        for group in grouped(texts):
            for batch in scorer.batches(group):
                yield from batch

    def next(self, text: str, k: int = 10) -> list[tuple[str, float]]:
        """The k likeliest next symbols after a text and their probabilities."""
        check(k >= 1, f"--next {k}: must be at least 1")
        return next_tokens(self.network, self.codec, text, k)


def _sheets(given: Any) -> Any:
    """A sheet, or the first tune of a file; of a pair both."""
    if isinstance(given, tuple | list):
        return tuple(_sheets(each) for each in given)
    return given if isinstance(given, LeadSheet) else read_tunes(Path(given))[0]


def load(path: str | Path, threads: int | None = None, precision: Literal["auto"] | Precision = "float32") -> Model:
    """The model in a file; ModelFileError where it cannot be read, OptionError for a precision the processor lacks."""
    settled = settled_precision(precision)
    stored = read_model(Path(path))
    try:
        return Model(stored, threads, settled)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}; the file is damaged, train the model again") from error


def train(
    source: str | Sequence[str],
    output: str | Path,
    *,
    threads: int | None = None,
    init_from: Model | None = None,
    **choices: Any,
) -> Model:
    """Train on a source, write the model to `output` and load it.

    `choices` are named as the options of `gencli train`, with underscores: cell, hidden_size, layers, dropout, epochs,
    minutes, max_steps, batch_size, seq_length, lr, clip, patience, seed, documents, encoding, valid, val_fraction,
    level, vocab_size and the others of choices.Choices; what is left out is chosen from the corpus.

    Raises GencliError's kinds as the command line does; nothing is printed.
    """
    sources = [source] if isinstance(source, str) else list(source)
    run = start_training(sources, Path(output), Choices(**choices), threads or default_threads(), init_from)
    for _ in run.fit():
        pass
    return load(output, threads)


def start_training(
    sources: Sequence[str],
    output: Path,
    choices: Choices,
    threads: int,
    init_from: Model | None = None,
    sample_every: int | None = None,
) -> Training:
    """A run that is ready to `fit()`, from fresh weights or from a model's."""
    if init_from is None:
        return Training(make_plan(sources, choices), output, threads, sample_every=sample_every)
    stored = init_from.stored
    for name in ("cell", "hidden_size", "layers", "activation"):
        asked, held = getattr(choices, name), getattr(stored.network, name)
        default = getattr(Choices, name)
        check(asked in (default, held), f"--{name.replace('_', '-')} {asked}: the model to begin with has {held}")
    for name in ("min_count", "vocab_size", "split", "lowercase"):
        asked = getattr(choices, name)
        message = f"--{name.replace('_', '-')} {asked}: the vocabulary is that of the model to begin with"
        check(asked == getattr(Choices, name), message)
    level = stored.codec.level
    check(choices.level in ("auto", level), f"--level {choices.level}: the model to begin with has {level}")
    network = stored.network if choices.dropout is None else replace(stored.network, dropout=choices.dropout)
    plan = make_plan(sources, choices, stored.codec, network)
    return Training(plan, output, threads, sample_every=sample_every, initial=stored.tensors)
