"""Synthetic songs with keys known by construction: singing with guitars and band, parts, unison sessions.

``song`` holds the interface: :func:`~pipelines.synthetic.songs.song.groups` and
:func:`~pipelines.synthetic.songs.song.song`. A song is composed (``forms``, ``chords``, ``melody``,
``tunes``, ``parts``), played (``accompaniment``, ``singing`` and ``session`` on ``strings``, ``voices``,
``keyboards``, ``melody_instruments`` and ``percussion``) and recorded (``recording``).
"""
