"""Train small recurrent language models on a CPU; sample from them and score with them.

import gencli
model = gencli.train("dinosaurs", "dinosaurs.safetensors")
model = gencli.load("dinosaurs.safetensors")
model.sample(n=10, seed=1)
model.score("tyrannosaurus").perplexity
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gencli.model import Model, load, train

__all__ = ["Model", "load", "train"]


def __getattr__(name: str) -> Any:
    """Look the public names up on first use: the command line's help must not wait for compiled code."""
    if name not in __all__:
        raise AttributeError(f"module 'gencli' has no attribute {name!r}")
    from gencli import model

    return getattr(model, name)
