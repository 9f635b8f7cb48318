"""The cache of recent tokens: its distribution, its memory, and what it does to lines that come back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gencli.codecs.codec import EOS
from gencli.recent import LARGEST, MEMORY, WEIGHT, RecentTokens

V = 7


def shares(read: list[int]) -> np.ndarray:
    """The cache's distribution (V,) after some tokens, straight from its definition."""
    counts = np.zeros(V)
    words = [token for token in read if token != EOS]
    for age, token in enumerate(reversed(words)):
        counts[token] += math.exp(-age / MEMORY)
    return counts / counts.sum() if words else counts


def test_log_probabilities_are_those_of_the_mixture() -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, V, 300)
    model = rng.dirichlet(np.ones(V), 300)
    found = RecentTokens(V).mix(ids, np.log(model[np.arange(300), ids]))
    for n in range(300):
        recent = shares(ids[:n].tolist())
        expected = (1 - WEIGHT) * model[n, ids[n]] + WEIGHT * recent[ids[n]] if recent.any() else model[n, ids[n]]
        assert math.isclose(found[n], math.log(expected), rel_tol=1e-9, abs_tol=1e-12)


def test_what_is_read_in_parts_counts_as_what_is_read_at_once() -> None:
    ids = np.random.default_rng(2).integers(0, V, 100)
    logprobs = np.full(100, -2.0)
    cache = RecentTokens(V)
    parts = [cache.mix(ids[n : n + 9], logprobs[n : n + 9]) for n in range(0, 100, 9)]
    assert np.concatenate(parts).tobytes() == RecentTokens(V).mix(ids, logprobs).tobytes()


def test_a_text_of_any_length_leaves_the_numbers_finite() -> None:
    count = int(MEMORY * math.log(LARGEST)) + 1000
    ids = np.full(count, 3)
    ids[-500:] = 4
    found = RecentTokens(V).mix(ids, np.full(count, -5.0))
    assert np.isfinite(found).all()
    recent = shares(ids[:-1].tolist()[-5000:])
    assert math.isclose(found[-1], math.log((1 - WEIGHT) * math.exp(-5) + WEIGHT * recent[4]), rel_tol=1e-9)


def test_words_that_come_back_score_better_with_it(gencli, tmp_path: Path) -> None:
    """The same line again is likelier; a first line is no worse than the cache's weight makes it."""
    from gencli.model import train

    source = tmp_path / "text.txt"
    source.write_text("".join(f"the {word} was here\n" for word in ("cat", "dog", "owl", "fox") for _ in range(20)))
    path = tmp_path / "text.safetensors"
    model = train(str(source), path, level="word", epochs=1, hidden_size=8, val_fraction=0.0, min_count=1)
    lines = ["the owl was here", "the owl was here"]
    plain, cached = ([score.logprob for score in model.scores(lines, cache=use)] for use in (False, True))
    assert cached[0] == pytest.approx(plain[0], abs=4 * -math.log1p(-WEIGHT) + 1e-9)
    assert cached[1] > plain[1] + 0.2
    ended = gencli("score", path, "--cache", *lines)
    assert ended.code == 0
    assert float(ended.out.splitlines()[1].split("\t")[0]) == pytest.approx(cached[1], abs=1e-3)
    for other in (("--next", "2"), ("--rank",), ("--nbest",)):  # a rank would depend on the order of what is ranked
        assert f"--cache and {other[0]}: give only one of them" in gencli("score", path, "--cache", *other, "the").error
