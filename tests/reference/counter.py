"""Random numbers from counters, in whole numbers of Python: splitmix64's finaliser and MurmurHash3's."""

from __future__ import annotations

from collections.abc import Iterable

WORD32, WORD64 = 2**32, 2**64
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio, odd


def splitmix(word: int) -> int:
    """Steele et al. 2014, figure 15 (variant 13 of Stafford's), then one more golden ratio; 64 bits."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % WORD64
    word = (word ^ word >> 27) * 0x94D049BB133111EB % WORD64
    return ((word ^ word >> 31) + GOLDEN) % WORD64


def chain(start: int, words: Iterable[int]) -> int:
    """Each word in turn is mixed into what the ones before have left."""
    for word in words:
        start = splitmix(start ^ word % WORD64)
    return start


def mix(*words: int) -> int:
    """A key named by whole numbers, negative ones as their remainder by 2**64."""
    return chain(GOLDEN, words)


def uniform(key: int, index: int, position: int) -> float:
    """The upper 53 bits as a fraction in [0, 1)."""
    return (chain(key, (index, position)) >> 11) / 2**53


def murmur(word: int) -> int:
    """MurmurHash3's finaliser of 32 bits (Appleby)."""
    word = (word ^ word >> 16) * 0x85EBCA6B % WORD32
    word = (word ^ word >> 13) * 0xC2B2AE35 % WORD32
    return word ^ word >> 16


def bits(key: int, t: int, b: int, j: int) -> int:
    """The 32 random bits of unit j of row b at step t: an element is dropped where they fall below the threshold."""
    high, low = divmod(key, WORD32)
    row = murmur((murmur(t ^ low) + b) % WORD32) ^ high
    return murmur((row + j * 0x9E3779B1) % WORD32)
