"""Numbers as they are written in pictures."""

from __future__ import annotations

import math

# In seconds.
_CLOCK_STEPS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
)  # fmt: skip


def tick_distance(seconds: float) -> float:
    """The distance of ticks on a time axis of so many seconds: a round number, ten ticks at most."""
    least = seconds / 10
    if least > 0.5:
        return next((step for step in _CLOCK_STEPS if step >= least), 86400 * math.ceil(least / 86400))
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)


def clock(value: float, step: float, seconds: float) -> str:
    """A time in a recording.

    Args:
        value: the time in seconds.
        step: the distance of such times; below a second, they are not written as on a clock.
        seconds: the length of the recording; from an hour on, all its times have hours.
    """
    if step < 1:
        digits = max(1, -math.floor(math.log10(step) + 1e-9))
        return f"{value:.{digits}f} s"
    minutes, rest = divmod(round(value), 60)
    if seconds < 3600:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def length(seconds: float) -> str:
    """The length of a recording."""
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    return clock(seconds, 1, seconds)


def tuning(cents: int) -> str:
    """How far a recording deviates from A4 = 440 Hz."""
    return f"tuned {signed(cents, plus=True)} cents from A4 = 440 Hz" if cents else "tuned to A4 = 440 Hz"


def signed(number: int, *, plus: bool = False) -> str:
    """A whole number with a true minus sign."""
    sign = "\N{MINUS SIGN}" if number < 0 else "+" if plus and number > 0 else ""
    return f"{sign}{abs(number)}"


def percent(probability: float, *, tenths: bool = False) -> str:
    """A probability in words that never claim certainty."""
    if probability >= 0.00995 or (probability >= 0.005 and not tenths):
        return f"{min(99, round(100 * probability))} %"
    if not tenths:
        return "< 1 %"
    return f"{100 * probability:.1f} %" if probability >= 0.0005 else "< 0.1"
