"""Which precision products are computed in, on this processor."""

from __future__ import annotations

from typing import Literal

from gencli.config import Precision, check, check_name
from gencli.kernels.bfloat16 import SUPPORTED


def settled_precision(asked: Literal["auto"] | Precision) -> Precision:
    """The precision asked for, or the fastest the processor has; OptionError for one it has not, or no precision."""
    if asked == "auto":
        return "bfloat16" if SUPPORTED else "float32"
    check_name(asked, Precision, "--precision")
    message = "--precision bfloat16: this processor has no bfloat16 dot products (AVX512_BF16); use float32"
    check(asked != "bfloat16" or SUPPORTED, message)
    return asked
