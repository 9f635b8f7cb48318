"""What a cell tells the rest of the program about itself.

Arrays that every cell's kernels share, for T steps, B rows, H units (padded to Hp columns) and G gates:

    gates   (T, B, G * Hp)  forward: holds what input and bias give, becomes the activated gates
                            backward: holds the activated gates, becomes the gradient before activation
    keep    (T + 1, B)      0 where a document begins at step t, else 1; the last row is 1
    state   (T + 1, B, Hp)  a as it enters step t: already zero where a document begins
    memory  (T + 1, B, Hp)  c likewise, for cells that have one; any small array for the others
    extra   (T, B, X * Hp)  what the cell keeps for its backward pass, X units for each of its own
    output  (T, B, Hp)      a as it leaves step t
    d_carry (2, B, Hp)      gradients on their way from a step to the one before it: of a, and of c where there is one

Backward passes receive H and the index of the activation as one pair, `settings`.
A kernel works on rows [first, last) alone: threads own rows and never meet inside a pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gencli.kernels.vector import REGISTER_BYTES

# In compiled code: elements of one register, `LANE_BYTES // array.itemsize`.
LANE_BYTES = REGISTER_BYTES


@dataclass(frozen=True)
class RecurrentProduct:
    """One recurrent product: which array enters it, and the gates [first, last) that come out.

    After the backward pass `gradient` holds, in the columns of those gates, the gradient of what came out.
    """

    source: Literal["state", "extra"]
    first: int
    last: int
    gradient: Literal["gates", "extra"] = "gates"


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: its gates, its kernels, and how its weights receive their gradients."""

    gates: int
    products: tuple[RecurrentProduct, ...]  # together they cover every gate once
    forward: Callable[..., None]
    backward: Callable[..., None]
    has_memory: bool = False
    extra_width: int = 0  # X of `extra`; 0 = the cell keeps nothing
    forget_gate: int | None = None  # its bias begins at 1 (Jozefowicz et al. 2015, section 2.2)
    peephole_gradient: Callable[..., None] | None = None
    activations: tuple[str, ...] = ("tanh",)  # the kernels receive the index of the one in force
