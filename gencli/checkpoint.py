"""What a training run saves: the model so far, and beside it what the run needs to go on to the same bits."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.choices import Choices
from gencli.codecs.codec import Codec, codec_from_state
from gencli.config import DocumentMode, NetworkConfig
from gencli.errors import TrainingError
from gencli.layers.window import State
from gencli.model_file import ModelInfo, StoredModel, network_config, read_resume, write_resume
from gencli.network import Network
from gencli.optimizer import AdamW
from gencli.progress import Progress
from gencli.recipe import Plan
from gencli.version import own_version

Array = NDArray[Any]


def stored_model(plan: Plan, codec: Codec, progress: Progress, network: Network, weights: Array) -> StoredModel:
    """The model as its file holds it: nothing in it depends on the clock or on the number of threads."""
    info = ModelInfo(
        name=plan.corpus_name,
        source=plan.source,
        documents=plan.documents,
        train_documents=plan.train_documents,
        valid_documents=plan.valid_documents,
        train_tokens=plan.train_tokens,
        train=plan.train,
        written_by=own_version(),
        history=list(progress.history),
        valid_loss=progress.best_loss,
    )
    return StoredModel(plan.network, codec, info, network.layout.plain(weights), plan.hashes)


def write_checkpoint(
    path: Path, plan: Plan, progress: Progress, network: Network, optimizer: AdamW, state: State, best: Array
) -> None:
    """Save everything a run needs to go on; ModelFileError where that cannot be written."""
    tensors: dict[str, Array] = {}
    vectors = {"now": network.flat, "best": best, "mean": optimizer.mean, "variance": optimizer.variance}
    vectors |= {"averaged": optimizer.averaged} if optimizer.config.average > 0 else {}
    for name, flat in vectors.items():
        tensors |= {f"{name}.{key}": values for key, values in network.layout.plain(flat).items()}
    H = plan.network.hidden_size
    tensors |= {"state.hidden": state.hidden[:, :, :H], "state.memory": state.memory[:, :, :H]}
    settings = {
        "choices": {**asdict(plan.choices), "precision": plan.train.precision},  # as settled, for any processor
        "codec": plan.codec.state(),
        "network": asdict(plan.network),
        "documents": plan.documents,
        "fingerprint": plan.fingerprint,
        "optimizer_steps": optimizer.steps,
        "progress": asdict(progress),
    }
    write_resume(path, tensors, settings)


class Checkpoint:
    """A resume file as read: first its plan's ingredients, then, once the network stands, its arrays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings, self.tensors = read_resume(path)

    def ingredients(self) -> tuple[Choices, Codec, NetworkConfig, DocumentMode]:
        """What make_plan needs to lay the same plan again."""
        settings = self.settings
        codec, network = codec_from_state(settings["codec"]), network_config(settings["network"])
        return Choices(**settings["choices"]), codec, network, settings["documents"]

    def check_data(self, plan: Plan) -> None:
        """TrainingError unless the plan's data is what the run began with."""
        if self.settings["fingerprint"] != plan.fingerprint:
            raise TrainingError(
                f"{plan.source}: not the text that {self.path} began with; give that one, or train without --resume"
            )

    def restore(self, network: Network, optimizer: AdamW, state: State, best: Array) -> Progress:
        """Fill the arrays of a run; gives where it stood."""
        vectors = {"best": best, "mean": optimizer.mean, "variance": optimizer.variance}
        vectors |= {"averaged": optimizer.averaged} if optimizer.config.average > 0 else {}
        for name, flat in vectors.items():
            flat[:] = network.layout.lay(self._part(name))
        network.load(self._part("now"))
        H = network.config.hidden_size
        state.hidden[:, :, :H] = self.tensors["state.hidden"]
        state.memory[:, :, :H] = self.tensors["state.memory"]
        optimizer.steps = int(self.settings["optimizer_steps"])
        return Progress(**self.settings["progress"])

    def _part(self, name: str) -> dict[str, Array]:
        prefix = f"{name}."
        return {key[len(prefix) :]: np.asarray(v) for key, v in self.tensors.items() if key.startswith(prefix)}
