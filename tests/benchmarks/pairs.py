"""`python -m tests.benchmarks.pairs MODEL`: in how many minimal pairs a model prefers the right member."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from gencli.model import load
from tests.benchmarks.table import Table

PAIRS = Path(__file__).parents[1] / "minimal_pairs.tsv"
TABLE = Table(("kind", 12), ("won", 5), ("of", 5), ("share", 8))


def read_pairs(path: Path = PAIRS) -> list[tuple[str, str, str]]:
    """(kind, right, wrong) of each pair of the list, the header left out."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [(kind, right, wrong) for kind, right, wrong in (line.split("\t") for line in lines)]


def margins(pairs: Iterable[tuple[str, str, str]], logprobs: Iterable[float]) -> list[tuple[str, float]]:
    """(kind, log-probability of the right member less that of the wrong one) of each pair.

    `logprobs` are those of all members in order, right before wrong.
    """
    told = iter(logprobs)
    return [(kind, next(told) - next(told)) for kind, _, _ in pairs]


def report(found: list[tuple[str, float]]) -> Iterator[str]:
    """A line for each kind and one for all; a pair without a difference is not won."""
    count, won = Counter(kind for kind, _ in found), Counter(kind for kind, margin in found if margin > 0)
    yield TABLE.head()
    for kind in count:
        yield TABLE.line(kind, str(won[kind]), str(count[kind]), f"{won[kind] / count[kind]:.0%}")
    yield TABLE.line("all", str(won.total()), str(count.total()), f"{won.total() / count.total():.0%}")


def main(arguments: list[str] | None = None) -> None:
    """Print the table, then each pair that was lost with its margin in nats."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pairs", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="a model of words")
    model = load(parser.parse_args(arguments).model)
    pairs = read_pairs()
    scores = model.scores(sentence for _, right, wrong in pairs for sentence in (right, wrong))
    found = margins(pairs, (score.logprob for score in scores))
    print("\n".join(report(found)))
    for (_, right, wrong), (_, margin) in zip(pairs, found, strict=True):
        if margin <= 0:
            print(f"{margin:8.3f}  {right} | {wrong}")


if __name__ == "__main__":
    main()
