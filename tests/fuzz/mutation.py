"""Inputs made from seeds by chance: the same for the same number, on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(seeds: Sequence[bytes], chance: random.Random, longest: int) -> bytes:
    """One of the seeds after a few changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
        place, kind = chance.randrange(len(data) + 1), chance.randrange(7)
        if kind == 0:
            data[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            size = chance.choice((1, 2, 4, 8))
            number = chance.choice(NUMBERS) % (1 << 8 * size)
            data[place : place + size] = number.to_bytes(size, chance.choice(("little", "big")))
        elif kind == 2:
            del data[place : place + chance.choice((1, 2, 4, 16))]
        elif kind == 3:
            data[place:place] = data[max(0, place - chance.choice((1, 4, 8, 30))) : place]
        elif kind == 4:
            other = chance.choice(seeds)
            begin = chance.randrange(len(other) + 1)
            data[place:] = other[begin:]
        elif kind == 5 and place < len(data):
            data[place] = (data[place] + chance.choice((-1, 1))) % 256
        else:
            del data[place:]
            data += chance.randbytes(chance.randrange(4))
    return bytes(data[:longest])
