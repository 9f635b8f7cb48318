"""Drawing texts from a network. Sample i depends on the seed and on i alone: not on how many, nor on the threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gencli.cells.generate import Rule
from gencli.codecs.codec import EOS, UNK, Codec
from gencli.config import SampleConfig
from gencli.kernels.counter import mix
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


class Sampler:
    """Draws texts that begin with one prompt, by one config. `with_eos` is False for models of an endless stream."""

    def __init__(self, network: Network, codec: Codec, config: SampleConfig, prompt: str, with_eos: bool) -> None:
        self.network, self.codec, self.config, self.prompt = network, codec, config, prompt
        self.banned = np.zeros(codec.vocabulary_size, np.bool_)
        self.banned[UNK] = True
        self.banned[EOS] = not with_eos
        key = np.uint64(mix(config.seed, _USE))
        self.rule = Rule(float(config.temperature), config.top_k, float(config.top_p), key, EOS, 0, 0.0)
        self._read_prompt()

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

    def draw(self, indices: Sequence[int]) -> list[Drawn]:
        """The samples of these numbers, drawn side by side."""
        written: list[list[int]] = [[] for _ in indices]
        told: list[list[float]] = [[] for _ in indices]
        for speaker, tokens, logprobs in self.chunks(indices, STEPS):
            counts = (tokens >= 0).sum(axis=1).tolist()
            stopped = set()
            for n, count in enumerate(counts):
                written[n] += tokens[n, :count].tolist()
                told[n] += logprobs[n, :count].tolist()
                if count and self._stops(written[n], count):
                    stopped.add(n)
            if stopped:
                speaker.end(stopped)
        return [self._finished(*each) for each in zip(indices, written, told, strict=True)]

    def _stops(self, tokens: list[int], new: int) -> bool:
        """Whether one of the last `new` tokens has completed a stop text."""
        if not self.config.stop:
            return False
        tail = self.codec.decode(tokens[-max(map(len, self.config.stop)) - new :])
        return any(stop in tail for stop in self.config.stop)

    def _finished(self, index: int, tokens: list[int], told: list[float]) -> Drawn:
        """The sample as handed out: cut before a stop text, <EOS> counted but not shown."""
        finish: Finish = "eos" if tokens and tokens[-1] == EOS else "length"
        text = self.codec.decode(tokens)
        cuts = [at for stop in self.config.stop if (at := text.find(stop)) >= 0]
        if cuts:
            finish, text = "stop", text[: min(cuts)]
            while tokens and len(self.codec.decode(tokens)) > len(text):
                tokens, told = tokens[:-1], told[:-1]
        count, logprob = self.prompt_tokens + len(tokens), self.prompt_logprob + sum(told)
        return Drawn(index, self.prompt + text, count, logprob, finish)

    def stream(self, index: int = 0) -> Iterator[str]:
        """Sample `index` piece by piece as it is drawn, the prompt first; together the text that `draw` gives."""
        yield self.prompt
        longest = max(map(len, self.config.stop), default=1)
        tokens: list[int] = []
        shown = 0
        for _, drawn, _ in self.chunks([index], STREAM_STEPS):
            tokens += drawn[0, drawn[0] >= 0].tolist()
            text = self.codec.decode(tokens)
            cuts = [at for stop in self.config.stop if (at := text.find(stop)) >= 0]
            # What might be the beginning of a stop text is held back until it is not.
            safe = min(cuts) if cuts else max(shown, len(text) - longest + 1)
            yield text[shown:safe]
            shown = max(shown, safe)
            if cuts:
                return
        yield self.codec.decode(tokens)[shown:]
