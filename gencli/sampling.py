"""Drawing texts from a network. Sample i depends on the seed and on i alone: not on how many, nor on the threads."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gencli.codecs.codec import EOS, UNK, Codec
from gencli.config import SampleConfig
from gencli.kernels.counter import mix, uniforms
from gencli.kernels.pick import pick
from gencli.layers.window import State
from gencli.network import Network

Array = NDArray[Any]
Finish = Literal["eos", "length", "stop"]
BATCH = 256  # samples drawn side by side
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
        self.key = np.uint64(mix(config.seed, _USE))
        self._read_prompt()

    def _read_prompt(self) -> None:
        """Run the prompt once: the state after it, the logits of what follows, its own log-probability."""
        ids = self.codec.encode(self.prompt, eos=False)
        self.state = self.network.state(1)
        logits = self.network.read(ids, self.state)
        self.first_logits = logits[-1]
        told = logits[:-1].astype(np.float64)
        top = told.max(axis=1, keepdims=True, initial=-np.inf)
        norms = top[:, 0] + np.log(np.exp(told - top).sum(axis=1))
        self.prompt_tokens = len(ids)
        self.prompt_logprob = float((told[np.arange(len(ids)), ids] - norms).sum())

    def tokens(self, indices: Sequence[int]) -> Generator[tuple[Array, Array, Array], Array | None, None]:
        """Step by step the (places in `indices`, tokens, log-probabilities) drawn, for samples that have not ended.

        Send back the places (an array) that end here for another reason than <EOS> or length; or nothing.
        """
        config, V = self.config, self.codec.vocabulary_size
        active = np.arange(len(indices))
        numbers = np.array(indices, np.uint64)
        state = _repeated(self.network, self.state, len(indices))
        logits = np.repeat(self.first_logits[None], len(indices), axis=0)
        for position in range(config.max_length):
            drawn, told = np.empty(len(active), np.int32), np.empty(len(active))
            chances = np.empty(len(active))
            uniforms(self.key, numbers[active], np.full(len(active), position, np.uint64), chances)
            pick(logits, V, self.banned, config.temperature, config.top_k, config.top_p, chances, drawn, told)
            ended = yield active, drawn, told
            going = drawn != EOS
            if ended is not None:
                going &= ~np.isin(active, ended)
            if not going.any():
                return
            if not going.all():
                active, drawn = active[going], drawn[going]
                state.hidden, state.memory = state.hidden[:, going], state.memory[:, going]
            rows = len(active)
            steps = np.zeros((1, rows), np.bool_), np.zeros((0, 1, rows), np.int32)
            logits = self.network.logits(drawn[None], *steps, state)[0]

    def draw(self, indices: Sequence[int]) -> list[Drawn]:
        """The samples of these numbers, drawn side by side."""
        written: list[list[int]] = [[] for _ in indices]
        told: list[list[float]] = [[] for _ in indices]
        steps = self.tokens(indices)
        ended = None
        while True:
            try:
                active, drawn, logprobs = steps.send(ended) if ended is not None else next(steps)
            except StopIteration:
                break
            for place, token, logprob in zip(active.tolist(), drawn.tolist(), logprobs.tolist(), strict=True):
                written[place].append(token)
                told[place].append(logprob)
            ended = np.array([n for n in active.tolist() if self._stops(written[n])], np.int64)
        return [self._finished(*each) for each in zip(indices, written, told, strict=True)]

    def _stops(self, tokens: list[int]) -> bool:
        """Whether a stop text has just been completed."""
        if not self.config.stop or tokens[-1] == EOS:
            return False
        tail = self.codec.decode(tokens[-max(map(len, self.config.stop)) - 1 :])
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
        for _, drawn, _ in self.tokens([index]):
            tokens.append(int(drawn[0]))
            text = self.codec.decode(tokens)
            cuts = [at for stop in self.config.stop if (at := text.find(stop)) >= 0]
            # What might be the beginning of a stop text is held back until it is not.
            safe = min(cuts) if cuts else max(shown, len(text) - longest + 1)
            yield text[shown:safe]
            shown = max(shown, safe)
            if cuts:
                return
        yield self.codec.decode(tokens)[shown:]


def _repeated(network: Network, state: State, rows: int) -> State:
    """The state of one row, for many."""
    many = network.state(rows)
    many.hidden[:] = state.hidden
    many.memory[:] = state.memory
    return many
