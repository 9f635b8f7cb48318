"""Writing many tokens a call against a plain loop: prompts, penalties, shortest lengths, bans, samples that end."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from gencli.cells.generate import Rule
from gencli.config import CellName, NetworkConfig
from gencli.kernels.truncate import truncation
from gencli.network import Network
from gencli.speaker import REMEMBERED, Speaker
from tests.network_cases import KINDS, random_network, random_tensors
from tests.network_cases import H as UNITS
from tests.reference import counter, softmax
from tests.reference import generate as reference
from tests.reference import network as twin

Array = np.ndarray[Any, Any]
EOS, KEY = 0, 2**63 + 77
V, STEPS, COUNT = 34, 40, 12
CLEAR = 1e-4  # choices closer than this may fall to either side in float32
TOLD = 2e-5  # of a log-probability: float32 after so many steps
PROMPT = [3, 5, 3, 8]
RULES = [
    reference.Rule(),
    reference.Rule(temperature=0.0, banned=(EOS, 7)),
    reference.Rule(temperature=0.6, top_k=5, penalty=1.5),
    reference.Rule(temperature=1.2, top_p=0.8, penalty=0.7, min_length=6, banned=(1,)),
    reference.Rule(temperature=0.0, penalty=4.0, min_length=STEPS),
    reference.Rule(penalty=-2.0, banned=(3, 4)),
    reference.Rule(penalty=1e6, min_length=12, banned=(1,)),
]


def network_of(kind: str = "table", cell: Any = "lstm", layers: int = 1, threads: int = 1) -> Network:
    """A network whose samples end after ten tokens or so; the penalties here outweigh its own choices."""
    settings, in_blocks = KINDS[kind]
    config = NetworkConfig(V, cell=cell, hidden_size=UNITS, layers=layers, **settings)
    network = random_network(config, threads=threads, dtype=np.float32, in_blocks=in_blocks)
    network.load(random_tensors(config, seed=2, scale=0.4))
    return network


def speaker_of(
    network: Network, rule: reference.Rule, prompt: list[int], numbers: Any, key: int = KEY
) -> tuple[Speaker, Array]:
    """Samples at the end of a prompt, and the log-probabilities told of the prompt."""
    limits = truncation(rule.top_k, rule.top_p)
    own = Rule(rule.temperature, limits, np.uint64(key), rule.eos, rule.min_length, rule.penalty)
    banned = np.zeros(V, np.bool_)
    banned[list(rule.banned)] = True
    first = Speaker(network, own, banned, np.zeros(1, np.uint64))
    ids, told = first.advance(len(prompt), np.array(prompt, np.int32))
    assert ids.tolist() == [prompt]
    return Speaker(network, own, banned, np.asarray(numbers, np.uint64), after=first), told[0]


def logits_of(network: Network, tokens: list[int]) -> Array:
    """The twin's logits (n + 1, V): before each token of a document, and after the last."""
    inputs = np.array([[0, *tokens]]).T
    starts = np.arange(len(inputs))[:, None] == 0
    config, weights = network.config, np.ones(inputs.shape)
    tensors = network.tensors()
    return twin.forward(tensors, config.cell, config.layers, inputs, inputs, starts, weights).logits[:, 0]


def expect_the_twins_choices(
    network: Network, rule: reference.Rule, tokens: list[int], told: list[float], prompt: list[int], number: int
) -> int:
    """Each token is what the twin chooses after those before it; gives how many choices were clear enough to say."""
    logits, compared = logits_of(network, prompt + tokens), 0
    expected = softmax.log_softmax(logits)
    for n, token in enumerate(tokens):
        at = len(prompt) + n
        assert abs(told[n] - expected[at, token]) < TOLD * max(1, abs(expected[at, token]))
        z = reference.handicapped(logits[at], prompt + tokens[:n], n, rule)
        chosen, margin = reference.choice(z, rule, counter.uniform(KEY, number, n))
        if margin > CLEAR:
            assert token == chosen, f"token {n} of sample {number}"
            compared += 1
    return compared


def expect_the_twins_texts(network: Network, rule: reference.Rule, prompt: list[int], remembered: int) -> list[int]:
    """A dozen samples: given tokens, drawn tokens, their ends. Gives their lengths."""
    numbers = [0, 1, 7, 2**40, *range(100, 100 + COUNT - 4)]
    speaker, told = speaker_of(network, rule, prompt, numbers)
    expected = softmax.log_softmax(logits_of(network, prompt)[:-1])
    np.testing.assert_allclose(told, expected[np.arange(len(prompt)), prompt], rtol=TOLD, atol=TOLD)
    rule = rule._replace(remembered=remembered)
    tokens, told = speaker.advance(STEPS)
    lengths, compared = [int(length) for length in (tokens >= 0).sum(axis=1)], 0
    for row, number in enumerate(numbers):
        written = tokens[row, : lengths[row]].tolist()
        assert EOS not in written[:-1]
        assert written[-1] == EOS or len(written) == STEPS
        assert (tokens[row, lengths[row] :] == -1).all()
        compared += expect_the_twins_choices(network, rule, written, told[row].tolist(), prompt, number)
    assert speaker.under_way == ((tokens != EOS).all(axis=1)).sum()
    assert compared > 0.95 * sum(lengths)
    return lengths


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("prompt", [[], PROMPT], ids=["", "prompted"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_token_is_the_twins(rule: reference.Rule, prompt: list[int], kind: str) -> None:
    expect_the_twins_texts(network_of(kind), rule, prompt, REMEMBERED)


@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", ["table", "vectors", "tied, adaptive"])
def test_every_cell_writes_what_its_twin_writes(cell: Any, kind: str) -> None:
    network = network_of(kind, cell, layers=2)
    expect_the_twins_texts(network, reference.Rule(penalty=1.0, min_length=3), PROMPT, REMEMBERED)


@pytest.mark.parametrize("remembered", [1, 2, 3, 7])
@pytest.mark.parametrize("rule", [RULES[2], RULES[4], RULES[5]])
@pytest.mark.parametrize("prompt", [[], PROMPT, [5, 5, 6, 5]], ids=["", "prompted", "repeating"])
def test_what_is_forgotten_is_no_longer_penalised(
    monkeypatch: pytest.MonkeyPatch, remembered: int, rule: reference.Rule, prompt: list[int]
) -> None:
    """A short memory, in which tokens come twice: forgotten is a token whose last place has gone. Some samples end."""
    monkeypatch.setattr("gencli.speaker.REMEMBERED", remembered)
    expect_the_twins_texts(network_of(), rule, prompt, remembered)


def test_samples_end_at_different_lengths_and_their_rows_move_together() -> None:
    """The case above would prove little if none ended before the others."""
    lengths = expect_the_twins_texts(network_of(), RULES[3], PROMPT, REMEMBERED)
    assert len(set(lengths)) > 4
    assert min(lengths) > 6  # min_length tokens, and the end


def test_the_loop_itself_writes_the_twins_greedy_text() -> None:
    network = network_of("tied, adaptive", layers=2)
    rule = reference.Rule(temperature=0.0, penalty=4.0, banned=(EOS,))
    expected, margins = reference.write(lambda ids: logits_of(network, ids)[-1], rule, KEY, 0, PROMPT, 25)
    assert min(margins) > CLEAR
    assert len(set(expected)) > 4
    speaker, _ = speaker_of(network, rule, PROMPT, [0])
    assert speaker.advance(25)[0].tolist() == [expected]


def test_a_penalty_above_all_else_keeps_the_last_64_tokens_apart() -> None:
    """66 ids, of which <EOS> is banned: the one drawn is the one that was written 65 tokens before."""
    config = NetworkConfig(66, hidden_size=8)
    network = random_network(config, dtype=np.float32)
    rule = Rule(1.0, None, np.uint64(KEY), EOS, 0, 1e4)
    banned = np.arange(66) == EOS
    tokens, _ = Speaker(network, rule, banned, np.arange(3, dtype=np.uint64)).advance(200)
    for row in tokens.tolist():
        for n in range(200):
            assert len(set(row[max(0, n - 64) : n + 1])) == min(n, 64) + 1
        assert row[65:] == row[:-65]
    assert len({tuple(row) for row in tokens.tolist()}) == 3


@pytest.mark.parametrize("kind", ["table", "tied, adaptive"])
@pytest.mark.parametrize("rule", [RULES[0], RULES[3]])
def test_pieces_companies_and_threads_change_nothing(kind: str, rule: reference.Rule) -> None:
    """33 samples: in one call and in many, alone and together, in shares of three threads' rows."""
    network, numbers = network_of(kind, threads=3), list(range(33))
    expected, worth = speaker_of(network, rule, PROMPT, numbers)[0].advance(STEPS)
    assert len({tuple(row) for row in expected.tolist()}) > 28
    speaker, _ = speaker_of(network, rule, PROMPT, numbers)
    pieces = [speaker.advance(steps) for steps in (1, 6, 13, 20)]
    np.testing.assert_array_equal(np.concatenate([tokens for tokens, _ in pieces], axis=1), expected)
    np.testing.assert_array_equal(np.concatenate([told for _, told in pieces], axis=1), worth)
    for company in ([4], [32, 0, 9], list(range(32, -1, -1))):
        tokens, told = speaker_of(network, rule, PROMPT, company)[0].advance(STEPS)
        np.testing.assert_array_equal(tokens, expected[company])
        np.testing.assert_array_equal(told, worth[company])
    network.team.close()


def test_samples_that_are_ended_leave_the_others_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their state, and what is remembered of them: a short memory, and penalties that matter."""
    monkeypatch.setattr("gencli.speaker.REMEMBERED", 3)
    network, numbers = network_of(), list(range(20))
    rule = reference.Rule(penalty=3.0, min_length=STEPS)
    expected, _ = speaker_of(network, rule, PROMPT, numbers)[0].advance(STEPS)
    speaker, _ = speaker_of(network, rule, PROMPT, numbers)
    speaker.advance(10)
    speaker.end({0, 3, 4, 19})
    assert speaker.under_way == 16
    tokens, _ = speaker.advance(STEPS - 10)
    ended = np.isin(np.arange(20), [0, 3, 4, 19])
    assert (tokens[ended] == -1).all()
    np.testing.assert_array_equal(tokens[~ended], expected[~ended, 10:])


def test_a_forced_end_ends_and_forced_tokens_may_be_banned() -> None:
    network = network_of()
    rule = Rule(1.0, None, np.uint64(KEY), EOS, 5, 1.0)
    banned = np.isin(np.arange(V), [EOS, 9])
    speaker = Speaker(network, rule, banned, np.arange(4, dtype=np.uint64))
    tokens, told = speaker.advance(8, np.array([9, 2, EOS, 5], np.int32))
    assert tokens.tolist() == [[9, 2, EOS, -1, -1, -1, -1, -1]] * 4
    expected = softmax.log_softmax(logits_of(network, [9, 2, EOS]))[[0, 1, 2], [9, 2, EOS]]
    np.testing.assert_allclose(told[:, :3], np.tile(expected, (4, 1)), rtol=TOLD)
    assert speaker.under_way == 0


@pytest.mark.parametrize("min_length", [0, 1, 6])
def test_a_ban_of_the_end_outlasts_the_shortest_length(min_length: int) -> None:
    """A model of an endless stream never draws <EOS>, whatever else is asked for."""
    network = network_of()
    tensors = network.tensors()
    tensors["output.bias"][EOS] += 5
    network.load(tensors)
    rule = reference.Rule(min_length=min_length, banned=(EOS,))
    tokens, _ = speaker_of(network, rule, [], range(6))[0].advance(20)
    assert (tokens > 0).all()
