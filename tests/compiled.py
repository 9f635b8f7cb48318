"""Functions that exist in compiled code alone, made callable."""

from __future__ import annotations

from gencli.kernels import tile
from gencli.kernels.compile import inlined


@inlined
def product(x, x_at, x_row, m, k, weights, panel_rows, count, out, out_at, out_row, accumulate):
    """kernels.tile.product."""
    tile.product(x, x_at, x_row, m, k, weights, panel_rows, count, out, out_at, out_row, accumulate)
