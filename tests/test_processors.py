"""The same network on narrower processors, in processes whose Numba is told that it runs on one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gencli
from gencli.config import NetworkConfig
from gencli.kernels.compile import processor
from tests.conftest import Ended
from tests.network_cases import random_batch, random_network, random_state

Array = np.ndarray[Any, Any]
ROOTS = [str(Path(gencli.__file__).parent.parent), str(Path(__file__).parent.parent)]
RELATIVE = 1e-5  # of each array's largest element
SSE = "+sse,+sse2"
AVX2 = f"{SSE},+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2"
AVX512 = f"{AVX2},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"  # without dot products of bfloat16

SCRIPT = """
import sys
import numpy as np
from gencli.kernels.compile import processor
from gencli.kernels.tile import TALL
from gencli.kernels.vector import REGISTER_BYTES
from tests.test_processors import results

np.savez(sys.argv[1], **results())
print(processor()[0], REGISTER_BYTES, TALL)
"""

# Nothing is compiled: what a plan settles on, then the command line.
PLANS = """
import sys
from gencli.cli.main import run
from gencli.kernels.vector import REGISTER_BYTES
from gencli.choices import Choices
from gencli.recipe import make_plan

for asked in ("auto", "float32"):
    print(make_plan(["stars"], Choices(precision=asked)).train.precision)
print(REGISTER_BYTES, flush=True)
sys.argv = ["gencli", "train", "stars", "--precision", "bfloat16"]
run()
"""

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"}, reason="the narrower processors are those of x86-64"
)


def results() -> dict[str, Array]:
    """Losses, state and gradients of a network whose sizes fill no panel, with rows for tiles of every height."""
    config = NetworkConfig(11, cell="gru", hidden_size=45, layers=2, dropout=0.2, side_sizes=(3,))
    network = random_network(config, dtype=np.float32)
    batch = random_batch(np.random.default_rng(17), T=7, B=27, V=11, side_sizes=(3,))
    state = random_state(network, 27)
    found = {"losses without learning": network.losses(batch, state.copy()), "losses": network.learn(batch, state, 5)}
    return {**found, "state": state.hidden[:, :, :45], **network.layout.plain(network.gradient)}


def on_processor(name: str, features: str, program: str, *arguments: str, folder: Path | None = None) -> Ended:
    """Run a program where Numba is told that the processor is another; skips where this one lacks its features."""
    if missing := {feature[1:] for feature in features.split(",")} - processor()[1]:
        pytest.skip(f"this processor cannot run that code: it lacks {', '.join(sorted(missing))}")
    paths = [*ROOTS, *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {"PYTHONPATH": os.pathsep.join(paths), "NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    command = [sys.executable, "-P", "-W", "error", "-c", program, *arguments]
    ended = subprocess.run(
        command, env={**os.environ, **variables}, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def of_the_host() -> dict[str, Array]:
    return results()


@pytest.mark.parametrize(
    ("name", "features", "register_bytes"), [("haswell", AVX2, 32), ("x86-64", SSE, 16)], ids=["AVX2", "SSE2"]
)
def test_a_narrower_processor_agrees_with_the_host(
    name: str, features: str, register_bytes: int, of_the_host: dict[str, Array], tmp_path: Path
) -> None:
    ended = on_processor(name, features, SCRIPT, str(tmp_path / "found.npz"))
    assert ended.code == 0, ended.err
    assert ended.out.split() == [name, str(register_bytes), "6"]  # sixteen registers: tiles of six rows
    with np.load(tmp_path / "found.npz") as found:
        assert set(found) == of_the_host.keys()
        for key, expected in of_the_host.items():
            largest = np.abs(expected).max()
            assert largest > 1e-4, key
            np.testing.assert_allclose(found[key], expected, rtol=0, atol=RELATIVE * largest, err_msg=key)


@pytest.mark.parametrize(
    ("name", "features", "register_bytes"),
    [("skylake-avx512", AVX512, "64"), ("haswell", AVX2, "32"), ("x86-64", SSE, "16")],
    ids=["AVX-512 without bfloat16", "AVX2", "SSE2"],
)
def test_a_processor_without_bfloat16_learns_in_float32_and_says_why_not_otherwise(
    name: str, features: str, register_bytes: str, tmp_path: Path
) -> None:
    ended = on_processor(name, features, PLANS, folder=tmp_path)
    assert ended.out.split() == ["float32", "float32", register_bytes], ended.err
    reason = "this processor has no bfloat16 dot products (AVX512_BF16)"
    assert ended.error == f"--precision bfloat16: {reason}; use float32"
    assert list(tmp_path.iterdir()) == []
