"""Electronic dance music with keys known by construction, from NumPy and SciPy alone.

:mod:`pipelines.synthetic.electronic.generator` has the two functions that others use: ``groups`` names the
progressions of a mode, ``electronic`` makes a clip. Below it, in the order of the work: ``progressions`` and
``styles`` hold what is drawn from, ``piece`` draws the plan of a clip, ``bass``, ``chords`` and ``lines``
write its notes, ``patches`` plays them from ``wavetables`` with the sounds that ``presets`` draws, ``drums``,
``speech`` and ``noises`` add what has no key, and ``mixing`` puts the layers together, with ``modulation``
beside the effects that all kinds of clips share.
"""
