"""What the defaults are worth: dinosaur names held out, and names that never existed."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import median

import pytest

from gencli.corpus import distinct
from gencli.model import train

NAMES = Path(__file__).parents[2] / "shared" / "data" / "dinos.txt"


@pytest.mark.skipif(not NAMES.exists(), reason=f"{NAMES} is not there: it belongs to the project, not to the package")
def test_a_held_out_tenth_of_the_dinosaurs_scores_at_most_1_57_nats_a_token(tmp_path):
    names = distinct(name.strip() for name in NAMES.read_text().splitlines() if name.strip())
    found = []
    for split in (1, 2, 3):
        shuffled = random.Random(split).sample(names, len(names))
        tenth = len(names) // 10
        source = tmp_path / f"split{split}.txt"
        source.write_text("\n".join(sorted(shuffled[tenth:])) + "\n")
        # Nothing of the tenth is looked at in training, not even to choose the best weights.
        model = train(str(source), tmp_path / f"split{split}.safetensors", val_fraction=0.0)
        assert model.info.train_documents == len(names) - tenth
        scores = list(model.scores(shuffled[:tenth]))
        found.append(-sum(score.logprob for score in scores) / sum(score.tokens for score in scores))
    assert median(found) <= 1.57, found
    assert min(found) > 1.2, "too good to be true: was the tenth in the training text?"


def test_sampled_dinosaurs_are_new_and_distinct(tmp_path):
    model = train("dinosaurs", tmp_path / "dinosaurs.safetensors")
    samples = model.sample(200, seed=1)
    novel = sum(bool(sample.novel) for sample in samples) / 200
    different = len({sample.text for sample in samples}) / 200
    assert novel >= 0.90
    assert different >= 0.95
    # They look like genera: one capitalised word that is ended, of a usual length.
    usual = [s for s in samples if s.finish == "eos" and s.text.isalpha() and s.text == s.text.capitalize()]
    assert len(usual) >= 190
    assert 9 <= median(len(sample.text) for sample in samples) <= 15
