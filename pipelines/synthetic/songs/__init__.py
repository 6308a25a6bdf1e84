"""Synthetic songs with keys known by construction: singing with guitars and band, parts, unison sessions.




d:`pipelines.synthetic.songs.song` makes the clips: it draws a form (:mod:`~pipelines.synthetic.songs.forms`),
composes (``chords``, ``melody``, ``tunes``, ``parts``), plays (``strings``, ``voices``,
``melody_instruments``,
``keyboards``, ``percussion`` by way of ``accompaniment``, ``singing`` and ``session``) and records
(``recording``).
"""
