"""Traditional dance music as sessions play it: a tune in unison, mostly without chords.

``generator`` holds the interface: :func:`~pipelines.synthetic.tunes.generator.groups` and
:func:`~pipelines.synthetic.tunes.generator.tune`. A tune is composed on a scale and the harmony behind its
bars (``modes``, ``dances``, ``composition``), goes round (``rounds``), and is played by ``players``, each in
a way of their own (``heterophony``), at times with ``backing``. Instruments are those of soundfonts and those
of :mod:`pipelines.synthetic.songs`, which also has the rooms and recordings.
"""
