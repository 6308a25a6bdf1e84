"""What schemathesis sends as ``audio/*``: it cannot know what a recording is. A module of hooks for it."""

from __future__ import annotations

import io
import math
import wave

import schemathesis
from hypothesis import strategies

RATE = 8000


def _tone(hertz: float, seconds: float) -> bytes:
    """A WAV file of 16 bits."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        samples = (math.sin(2 * math.pi * hertz * number / RATE) for number in range(int(seconds * RATE)))
        file.writeframes(
            b"".join(round(9000 * sample).to_bytes(2, "little", signed=True) for sample in samples)
        )
    return stream.getvalue()


TONES = [_tone(440, 0.05), _tone(440, 1), _tone(262, 2.5), _tone(0, 0.5)]

schemathesis.openapi.media_type("audio/*", strategies.sampled_from(TONES))
