"""Drawing texts from a network. Sample i depends on the seed and on i alone: not on how many, nor on the threads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gencli.cells.generate import Rule
from gencli.codecs.codec import EOS, UNK, Codec
from gencli.config import SampleConfig
from gencli.kernels.counter import mix
from gencli.kernels.truncate import truncation
from gencli.network import Network
from gencli.speaker import Speaker

Array = NDArray[Any]
Finish = Literal["eos", "length", "stop"]
BATCH = 256  # samples drawn side by side
STEPS, STREAM_STEPS = 32, 1  # tokens drawn between two looks at what was written
_USE = 0x5A17  # keeps these random numbers apart from those of training under the same seed


@dataclass(frozen=True)
class Drawn:
    """One text as drawn: the prompt, then what the model wrote."""

    index: int  # which of the seed's samples
    text: str
    tokens: int  # prompt and <EOS> included
    logprob: float  # nats, of all those tokens under the model itself
    finish: Finish


class Writing:
    """A sample under way: its tokens so far and the text they add to the prompt's.

    No stop text is looked for in what the first `least` tokens write.
    """

    def __init__(self, codec: Codec, state: int, stops: tuple[str, ...], least: int = 0) -> None:
        self.codec, self.state, self.stops, self.least = codec, state, stops, least
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.length = 0  # characters written
        self.stop: int | None = None  # where the stop text begins, once one is written
        self._pieces: list[str] = []
        self._tail = ""  # the last characters, in which a stop text may have begun
        self._reach = max(map(len, stops), default=1) - 1

    @property
    def text(self) -> str:
        """What is written, up to the stop text."""
        return "".join(self._pieces)[: self.stop]

    def add(self, tokens: list[int], logprobs: list[float]) -> str:
        """Go on by some tokens; gives the text they add."""
        free = max(0, self.least - len(self.tokens))
        self.tokens += tokens
        self.logprobs += logprobs
        before, self.state = self.codec.decode_from(tokens[:free], self.state)
        self.length += len(before)
        self._pieces.append(before)
        if free >= len(tokens):
            return before
        piece, self.state = self.codec.decode_from(tokens[free:], self.state)
        begin, recent = self.length - len(self._tail), self._tail + piece
        found = [(at, at + len(stop)) for stop in self.stops if (at := recent.find(stop)) >= 0]
        if found:
            first = min(end for _, end in found)  # the one that is complete first ends the sample, before itself
            self.stop = begin + min(at for at, end in found if end <= first)
        self.length += len(piece)
        self._pieces.append(piece)
        self._tail = recent[max(0, len(recent) - self._reach) :]
        return before + piece


class Sampler:
    """Draws texts that begin with one prompt, by one config. `with_eos` is False for models of an endless stream."""

    def __init__(self, network: Network, codec: Codec, config: SampleConfig, prompt: str, with_eos: bool) -> None:
        self.network, self.codec, self.config, self.prompt = network, codec, config, prompt
        self.banned = np.zeros(codec.vocabulary_size, np.bool_)
        self.banned[UNK] = not config.allow_unk
        self.banned[EOS] = not with_eos
        key = np.uint64(mix(config.seed, _USE))
        least = config.min_length if with_eos else 0
        penalty = math.log(config.repetition_penalty)
        limits = truncation(config.top_k, config.top_p)
        self.rule = Rule(float(config.temperature), limits, key, EOS, least, penalty)
        self._read_prompt()
        _, self.joint = codec.decode_from(codec.encode(prompt, eos=False))  # where the text goes on

    def _read_prompt(self) -> None:
        """Write the prompt once, and note its log-probability."""
        ids = self.codec.encode(self.prompt, eos=False)
        self._prompted = Speaker(self.network, self.rule, self.banned, np.zeros(1, np.uint64))
        _, told = self._prompted.advance(len(ids), ids)
        self.prompt_tokens = len(ids)
        self.prompt_logprob = float(told.sum())

    def speaker(self, indices: Sequence[int]) -> Speaker:
        """Samples of these numbers, at the end of the prompt."""
        return Speaker(self.network, self.rule, self.banned, np.array(indices, np.uint64), after=self._prompted)

    def chunks(self, indices: Sequence[int], steps: int) -> Iterator[tuple[Speaker, Array, Array]]:
        """What `indices` write, up to `steps` tokens at a time, until all have ended or max_length is reached."""
        speaker = self.speaker(indices)
        left = self.config.max_length
        while left > 0 and speaker.under_way:
            yield speaker, *speaker.advance(min(steps, left))
            left -= steps

    def _writing(self) -> Writing:
        """A sample of which nothing is written yet but the prompt."""
        return Writing(self.codec, self.joint, self.config.stop, self.config.min_length)

    def draw(self, indices: Sequence[int]) -> list[Drawn]:
        """The samples of these numbers, drawn side by side."""
        under_way = [self._writing() for _ in indices]
        for speaker, tokens, logprobs in self.chunks(indices, STEPS):
            counts = (tokens >= 0).sum(axis=1).tolist()
            stopped = set()
            for n, count in enumerate(counts):
                if count:
                    under_way[n].add(tokens[n, :count].tolist(), logprobs[n, :count].tolist())
                    if under_way[n].stop is not None:
                        stopped.add(n)
            if stopped:
                speaker.end(stopped)
        return [self._finished(*each) for each in zip(indices, under_way, strict=True)]

    def _finished(self, index: int, writing: Writing) -> Drawn:
        """The sample as handed out: cut before a stop text, <EOS> counted but not shown."""
        tokens, told, text = writing.tokens, writing.logprobs, writing.text
        finish: Finish = "eos" if tokens and tokens[-1] == EOS else "length"
        if writing.stop is not None:
            finish = "stop"
            kept, length, state = 0, 0, self.joint
            for token in tokens:  # those that are written whole before the cut
                piece, state = self.codec.decode_from([token], state)
                length += len(piece)
                if length > len(text):
                    break
                kept += 1
            tokens, told = tokens[:kept], told[:kept]
        count, logprob = self.prompt_tokens + len(tokens), self.prompt_logprob + sum(told)
        return Drawn(index, self.prompt + text, count, logprob, finish)

    def stream(self, index: int = 0) -> Iterator[str]:
        """Sample `index` piece by piece as it is drawn, the prompt first; together the text that `draw` gives."""
        yield self.prompt
        longest = max(map(len, self.config.stop), default=1)
        writing = self._writing()
        waiting = ""  # what might be the beginning of a stop text is held back until it is not
        for _, drawn, told in self.chunks([index], STREAM_STEPS):
            count = int((drawn[0] >= 0).sum())
            waiting += writing.add(drawn[0, :count].tolist(), told[0, :count].tolist())
            if writing.stop is not None:
                yield waiting[: len(waiting) - (writing.length - writing.stop)]
                return
            safe = max(0, len(waiting) - longest + 1)
            yield waiting[:safe]
            waiting = waiting[safe:]
        yield waiting
