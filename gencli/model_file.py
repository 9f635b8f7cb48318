"""One safetensors file that holds a whole model: weights, settings, vocabulary, history. And what resuming needs.

The metadata is JSON under the key `gencli`. Tensors have their plain shapes, whatever processor wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gencli.codecs.codec import Codec, codec_from_state
from gencli.config import DocumentMode, NetworkConfig, OptimizerConfig, TrainConfig, check_name
from gencli.errors import GencliError, ModelFileError
from gencli.files import write_atomically

Array = NDArray[Any]
FORMAT = "gencli-model"
VERSION = 1
HASHES = "corpus.hashes"


@dataclass(frozen=True)
class ModelInfo:
    """What a model learned from and how: everything but weights, shape and vocabulary."""

    name: str  # of the corpus
    source: str  # as the user named it
    documents: DocumentMode
    train_documents: int
    valid_documents: int
    train_tokens: int
    train: TrainConfig
    written_by: str  # the version of gencli
    history: list[dict[str, float | int | None]] = field(default_factory=list)  # step, epoch, train_loss, valid_loss
    valid_loss: float | None = None  # of the weights in the file, nats a token

    @property
    def seed(self) -> int:
        """The seed of split, initial weights, order and dropout."""
        return self.train.seed


@dataclass(frozen=True)
class StoredModel:
    """A model as its file holds it."""

    network: NetworkConfig
    codec: Codec
    info: ModelInfo
    tensors: dict[str, Array]
    hashes: Array  # (D,) uint64, sorted: fingerprints of the corpus's documents


def write_model(path: Path, model: StoredModel) -> None:
    """Write a model file atomically; ModelFileError where that fails."""
    settings = {
        "network": asdict(model.network),
        "codec": model.codec.state(),
        "info": asdict(model.info),
    }
    _write(path, FORMAT, {**model.tensors, HASHES: model.hashes}, settings)


def read_model(path: Path) -> StoredModel:
    """Read a model file; ModelFileError, naming the fault and the remedy, where it is not a whole one of ours."""
    settings, tensors = _read(path, FORMAT)
    try:
        network = network_config(settings["network"])
        info = dict(settings["info"])
        info["train"] = train_config(info["train"])
        codec = codec_from_state(settings["codec"])
        hashes = tensors.pop(HASHES)
        stored = StoredModel(network, codec, ModelInfo(**info), tensors, hashes)
        check_name(info["documents"], DocumentMode, "documents")
    except GencliError as error:
        raise ModelFileError(f"{path}: {error}; the file is damaged, train the model again") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: its settings are damaged ({error!r}); train the model again") from error
    if codec.side_sizes != network.side_sizes:
        raise ModelFileError(f"{path}: its side inputs are those of another version of gencli; train the model again")
    if codec.vocabulary_size != network.vocabulary_size:
        raise ModelFileError(
            f"{path}: its vocabulary has {codec.vocabulary_size} symbols, its weights are for "
            f"{network.vocabulary_size}; the file is damaged, train the model again"
        )
    return stored


def network_config(values: Mapping[str, Any]) -> NetworkConfig:
    """The NetworkConfig of its JSON form."""
    tuples = {name: tuple(values[name]) for name in ("side_sizes", "cutoffs") if name in values}
    return NetworkConfig(**{**values, **tuples})


def train_config(values: Mapping[str, Any]) -> TrainConfig:
    """The TrainConfig of its JSON form."""
    return TrainConfig(**{**values, "optimizer": OptimizerConfig(**values["optimizer"])})


def resume_path(output: Path) -> Path:
    """Where what resuming needs lies: NAME.resume.safetensors beside NAME.safetensors."""
    return output.with_name(f"{output.name.removesuffix('.safetensors')}.resume.safetensors")


def write_resume(path: Path, tensors: Mapping[str, Array], settings: Mapping[str, Any]) -> None:
    """Write what resuming needs, atomically; ModelFileError where that fails."""
    _write(path, f"{FORMAT}-resume", tensors, settings)


def read_resume(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Settings and tensors of a resume file; ModelFileError where it is missing or damaged."""
    if not path.exists():
        raise ModelFileError(f"{path}: not there, so nothing can be resumed; train without --resume")
    return _read(path, f"{FORMAT}-resume")


def _write(path: Path, form: str, tensors: Mapping[str, Array], settings: Mapping[str, Any]) -> None:
    header = {"format": form, "version": VERSION, **settings}
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    data = save(arrays, {"gencli": json.dumps(header, ensure_ascii=False, sort_keys=True)})
    write_atomically(path, data, ModelFileError)


def _read(path: Path, form: str) -> tuple[dict[str, Any], dict[str, Array]]:
    if not path.exists():
        raise ModelFileError(f"{path}: no such file; `gencli train` makes one")
    if path.is_dir():
        raise ModelFileError(f"{path}: is a folder; name a .safetensors file that `gencli train` wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            header = _header(path, metadata.get("gencli"), form)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise ModelFileError(f"{path}: cannot be read (permission denied)") from error
        raise ModelFileError(f"{path}: not a model file, or a truncated one; `gencli train` makes them") from error
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise ModelFileError(f"{path}: tensor {name} holds values that are not finite; train the model again")
    return header, tensors


def _header(path: Path, text: str | None, form: str) -> dict[str, Any]:
    """The settings of a file; ModelFileError where it is foreign or too new."""
    if text is None:
        raise ModelFileError(f"{path}: a safetensors file, but not one of gencli's; `gencli train` makes those")
    header = json.loads(text)
    if isinstance(header, dict) and form == FORMAT and header.get("format") == f"{FORMAT}-resume":
        raise ModelFileError(f"{path}: an interrupted run's, not a model; `gencli train` wrote that beside it")
    if not isinstance(header, dict) or header.get("format") != form:
        raise ModelFileError(f"{path}: not a file of the kind {form}; `gencli train` makes model files")
    version = header.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ModelFileError(f"{path}: format {version} is newer than this gencli reads ({VERSION}); upgrade gencli")
    return header
