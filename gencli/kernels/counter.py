"""Random numbers from counters: a value depends on its name (seed, step, layer, row, unit), not on earlier draws."""

from __future__ import annotations

import numpy as np

from gencli.kernels.compile import inlined, kernel


def mix(*words: int) -> int:
    """A 64-bit key from whole numbers: splitmix64's finaliser after each (Steele et al. 2014, figure 15)."""
    key = 0x9E3779B97F4A7C15
    for word in words:
        key = (key ^ (word & 0xFFFFFFFFFFFFFFFF)) & 0xFFFFFFFFFFFFFFFF
        key = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        key = ((key ^ (key >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        key = ((key ^ (key >> 31)) + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    return key


@inlined
def _scramble(word):
    """A bijection of 32-bit words in which every input bit moves every output bit: MurmurHash3's finaliser."""
    word = np.uint32(word ^ (word >> np.uint32(16)))
    word = np.uint32(word * np.uint32(0x85EBCA6B))
    word = np.uint32(word ^ (word >> np.uint32(13)))
    word = np.uint32(word * np.uint32(0xC2B2AE35))
    return np.uint32(word ^ (word >> np.uint32(16)))


@kernel
def drop_out(x, key, threshold, scale, fixed, first, last):
    """Zero the elements of rows [first, last) of x (T, B, N) whose 32 random bits fall below threshold; scale the rest.

    The bits depend on the key and on the element's place (t, b, j); with `fixed` not 0 on (b, j) alone.
    """
    T, B, N = x.shape
    low, high = np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32)
    flat = x.reshape(-1)
    for t in range(T):
        for b in range(first, last):
            row = _scramble(np.uint32(_scramble(np.uint32((0 if fixed else t) ^ low)) + np.uint32(b)))
            row = np.uint32(row ^ high)
            at = (t * B + b) * N
            for j in range(N):
                bits = _scramble(np.uint32(row + np.uint32(np.uint32(j) * np.uint32(0x9E3779B1))))
                flat[at + j] = flat[at + j] * scale if bits >= threshold else x.dtype.type(0)


@kernel
def uniforms(key, indices, positions, out):
    """out[i] in [0, 1), 53 random bits named by (key, indices[i], positions[i]); all uint64 but out."""
    for i in range(indices.size):
        word = np.uint64(key)
        for part in (indices[i], positions[i]):
            word = np.uint64(word ^ part)
            word = np.uint64((word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9))
            word = np.uint64((word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB))
            word = np.uint64((word ^ (word >> np.uint64(31))) + np.uint64(0x9E3779B97F4A7C15))
        out[i] = np.float64(word >> np.uint64(11)) * 2.0**-53
