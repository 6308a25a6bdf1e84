"""Design of the constant-Q filters and of the decimators in front of them (NumPy, float64).

Nothing here depends on a signal: :func:`design` turns the parameters of a transform into a
:class:`Plan`, the matrices that :class:`tfkey.spectrogram.cqt.CQT` applies. The method and its error terms
are explained in :mod:`tfkey.spectrogram.cqt`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from tfkey.spectrogram.parameters import Parameters

# Coefficients a_j of w(u) = sum_j a_j cos(2 pi j u), |u| <= 1/2 (Harris 1978, Nuttall 1981).
WINDOWS: dict[str, tuple[float, ...]] = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "boxcar": (1.0,),
}

# Share of a filter's energy that may lie above the highest frequency of a decimated rate.
TAIL_ENERGY = 1e-9
# Attenuation of the bands that decimation folds onto the bins, in dB.
STOPBAND_DB = 100.0
# Half-width of the band that decimation passes completely, in units of 1 / length, and the highest frequency
# that it passes, as a share of the decimated rate.
MAIN_LOBE = 4.0
PASSBAND = 0.45
# Samples (at the decimated rate) by which a filter exceeds its window, to undo the decimator's slope.
FILTER_MARGIN = 4
# A rate serves at least this many bins: below, the next higher rate takes them.
FEWEST_BINS = 8
# Widths of the matrix products: decimated samples made per block, and samples per block of a filter.
STAGE_OUTPUTS = 32
FILTER_BLOCK = 64


@dataclass(frozen=True)
class Stage:
    """A decimator as a product of blocks: ``kernel`` is ``[blocks, inputs, outputs]``.

    It begins at sample ``offset``; ``frames * (hop / rate / outputs) + extra_blocks`` blocks are read.
    """

    offset: int
    kernel: np.ndarray
    extra_blocks: int


@dataclass(frozen=True)
class Group:
    """Neighbouring bins that share a rate: ``kernel`` is ``[blocks, samples, 2 * bins]``, real parts first.

    Frame m is the product of the kernel with the ``blocks`` blocks from block ``m * stride`` on.
    """

    offset: int
    stride: int
    kernel: np.ndarray


@dataclass(frozen=True)
class Level:
    """One rate of the cascade: the decimator before it (None for the first) and its bins, ascending."""

    rate: int
    stage: Stage | None
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Plan:
    """Everything that a transform applies to a signal.

    ``left`` and ``right`` are samples of padding: the padded signal has ``frames * hop_length + right``
    samples, and the first of them is ``left`` samples before the centre of the first frame. ``errors``
    is, for every bin, the relative L2 distance between the filter applied and its definition.
    """

    left: int
    right: int
    levels: tuple[Level, ...]
    errors: np.ndarray


def atom(p: Parameters, k: int) -> np.ndarray:
    """Bin ``k``'s filter as defined in :mod:`tfkey.spectrogram.cqt`, from its centre on.

    Returns:
        complex128 ``[h + 1]``. The filter has ``2 h + 1`` samples; those before the centre are the complex
        conjugates of these, which halves the work here and in :func:`_response`.
    """
    length = float(p.lengths[k])
    t = np.arange(math.floor(length / 2) + 1)
    window = sum(a * np.cos(2 * np.pi * j * t / length) for j, a in enumerate(WINDOWS[p.window]))
    whole = np.concatenate([window[:0:-1], window])
    gain = 1.0 if p.norm is None else 1.0 / np.linalg.norm(whole, p.norm)
    gain *= math.sqrt(length) if p.scale else length
    return gain * window * np.exp(2j * np.pi * float(p.frequencies[k]) / p.sample_rate * t)


@lru_cache
def band_lobes(window: str) -> float:
    """Return the half-width of the band that contains a window's spectrum, in units of 1 / length.

    The share of its energy above the band is :data:`TAIL_ENERGY`. Infinite for windows whose side
    lobes fall too slowly (hamming, boxcar): the signal is not decimated for their filters.
    """
    step, end = 1 / 64, 64.0
    x = np.arange(0, end, step) + step / 2
    coefficients = WINDOWS[window]
    spectrum = sum(a * (np.sinc(x - j) + np.sinc(x + j)) / 2 for j, a in enumerate(coefficients))
    # Parseval: the energy on both sides is a_0^2 + sum a_j^2 / 2.
    total = (coefficients[0] ** 2 + sum(a * a for a in coefficients)) / 2
    tail = 0.5 - np.cumsum(spectrum**2) * step / total
    inside = np.flatnonzero(tail <= TAIL_ENERGY)
    return float(x[inside[0]]) if len(inside) else math.inf


def _prime_factors(n: int) -> list[int]:
    factors, f = [], 2
    while f * f <= n:
        while n % f == 0:
            factors.append(f)
            n //= f
        f += 1
    return [*factors, n] if n > 1 else factors


def _rates(p: Parameters) -> np.ndarray:
    """The factor by which the signal is decimated before each bin, int ``[n_bins]``."""
    edge = p.frequencies * (1 + band_lobes(p.window) / p.q)
    # The decimator's slope lies between the main lobe and its image, so it needs room besides.
    main = p.frequencies * (1 + MAIN_LOBE / p.q)
    rates, rate = np.ones(p.n_bins, int), 1
    for factor in _prime_factors(p.hop_length):
        rate *= factor
        fits = np.maximum(edge, main / (2 * PASSBAND)) <= p.sample_rate / (2 * rate)
        if np.count_nonzero(fits) >= min(FEWEST_BINS, p.n_bins):
            rates[fits] = rate
    return rates


def _octaves(p: Parameters, bins: np.ndarray) -> list[np.ndarray]:
    """Split ``bins`` (ascending) where a filter is less than half as long as the longest of its part."""
    parts = []
    while len(bins):
        long = p.lengths[bins] > p.lengths[bins[0]] / 2
        parts.append(bins[long])
        bins = bins[~long]
    if len(parts) > 1 and len(parts[-1]) < FEWEST_BINS:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return parts


def _decimator(p: Parameters, old: int, new: int, rates: np.ndarray) -> np.ndarray:
    """A symmetric low-pass (Kaiser 1974) from rate 1/old to 1/new of the sample rate, odd length."""
    target = p.sample_rate / new
    highest = float(p.frequencies[rates >= new].max()) * (1 + MAIN_LOBE / p.q)
    width = (target - 2 * highest) * old / p.sample_rate
    ratio = new // old
    half = math.ceil((STOPBAND_DB - 7.95) / (14.36 * width) / 2)
    n = np.arange(-half, half + 1)
    taps = np.sinc(n / ratio) * np.kaiser(2 * half + 1, 0.1102 * (STOPBAND_DB - 8.7))
    return taps / taps.sum()


def _response(half: np.ndarray, n: int) -> np.ndarray:
    """DFT of length ``n``, float64, of a filter that is given from its centre on as by :func:`atom`."""
    return np.fft.hfft(half, n)


def _filters(
    p: Parameters, bins: np.ndarray, decimators: list[tuple[int, np.ndarray]], rate: int
) -> tuple[np.ndarray, np.ndarray]:
    """Filters at ``1 / rate`` of the sample rate that act, behind the decimators, like the atoms.

    Returns complex128 ``[2 c + 1, bins]`` (to be correlated with: conjugated) and the relative errors.
    """
    if rate == 1:
        atoms = [atom(p, k) for k in bins]
        size = max(len(a) for a in atoms)
        halves = np.stack([np.pad(a, (0, size - len(a))) for a in atoms], 1)
        return np.concatenate([halves[:0:-1], halves.conj()]), np.zeros(len(bins))
    half = math.ceil(p.lengths[bins[0]] / 2 / rate) + FILTER_MARGIN
    spread = sum(r * len(d) for r, d in decimators)
    points = 1 << math.ceil(math.log2((2 * half + 1) + spread / rate))
    n = points * rate
    low = np.ones(n)
    for r, taps in decimators:
        low *= np.tile(_response(taps[len(taps) // 2 :], n // r), r)
    energy = (low**2).reshape(rate, points).sum(0)
    filters, errors = [], []
    for k in bins:
        wanted = _response(atom(p, k), n)
        # Least squares over all filters at the decimated rate: images share one free value.
        taps = np.fft.ihfft((wanted * low).reshape(rate, points).sum(0) / energy)[: half + 1]
        got = np.tile(_response(taps, points), rate) * low
        errors.append(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))
        filters.append(taps)
    halves = np.stack(filters, 1)
    return np.concatenate([halves[:0:-1], halves.conj()]), np.array(errors)


def _divisor(n: int, target: int) -> int:
    """The divisor of ``n`` closest to ``target`` (in ratio)."""
    return min((d for d in range(1, n + 1) if n % d == 0), key=lambda d: abs(math.log(d / target)))


def _toeplitz(taps: np.ndarray, ratio: int, outputs: int) -> np.ndarray:
    """``[blocks, ratio * outputs, outputs]``: column j holds the taps from row ``ratio * j`` on."""
    width = ratio * outputs
    blocks = math.ceil(((outputs - 1) * ratio + len(taps)) / width)
    matrix = np.zeros((blocks * width, outputs))
    for j in range(outputs):
        matrix[j * ratio : j * ratio + len(taps), j] = taps
    return matrix.reshape(blocks, width, outputs)


def _starts(p: Parameters, chain: list[int], decimators: list, banks: list) -> list[int]:
    """Return how far before the first frame's centre each level begins, in samples of the input."""
    starts = [0] * len(chain)
    for i in reversed(range(len(chain))):
        start = max((len(bank) // 2 * chain[i] for bank in banks[i]), default=0)
        if i + 1 < len(chain):
            start = max(start, starts[i + 1] + len(decimators[i][1]) // 2 * chain[i])
        starts[i] = -(-start // chain[i]) * chain[i]
    return starts


def _group(bank: np.ndarray, start: int, hop: int) -> Group:
    block = _divisor(hop, FILTER_BLOCK)
    blocks = math.ceil(len(bank) / block)
    kernel = np.zeros((blocks * block, 2, bank.shape[1]), np.float32)
    kernel[: len(bank), 0], kernel[: len(bank), 1] = bank.real, bank.imag
    return Group(start - len(bank) // 2, hop // block, kernel.reshape(blocks, block, -1))


@lru_cache(maxsize=16)
def design(p: Parameters) -> Plan:
    """Design the cascade for (checked) parameters."""
    rates = _rates(p)
    chain = sorted({1, *rates.tolist()})
    decimators = [(old, _decimator(p, old, new, rates)) for old, new in pairwise(chain)]
    banks: list[list[np.ndarray]] = []
    errors = np.zeros(p.n_bins)
    for i, rate in enumerate(chain):
        banks.append([])
        for bins in _octaves(p, np.flatnonzero(rates == rate)):
            bank, errors[bins] = _filters(p, bins, decimators[:i], rate)
            banks[i].append(bank)
    starts = _starts(p, chain, decimators, banks)

    # From the last level to the first: how many samples it needs beyond frames * (hop / rate).
    levels: list[Level] = []
    need = 0
    for i in reversed(range(len(chain))):
        rate, stage = chain[i], None
        hop = p.hop_length // rate
        groups = tuple(_group(bank, starts[i] // rate, hop) for bank in banks[i])
        for group in groups:
            need = max(need, group.offset - hop + group.kernel.shape[0] * group.kernel.shape[1])
        if i > 0:
            ratio, outputs = rate // chain[i - 1], _divisor(hop, STAGE_OUTPUTS)
            taps = decimators[i - 1][1]
            matrix = _toeplitz(taps, ratio, outputs).astype(np.float32)
            extra = -(-need // outputs) + len(matrix) - 1
            offset = (starts[i - 1] - starts[i]) // chain[i - 1] - len(taps) // 2
            stage = Stage(offset, matrix, extra)
            need = offset + extra * ratio * outputs
        levels.append(Level(rate, stage, groups))
    return Plan(starts[0], need, tuple(reversed(levels)), errors)
