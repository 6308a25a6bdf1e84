"""Accompaniments of a band in General MIDI styles, from rock of the fifties to salsa, with a melody above.

:mod:`~pipelines.synthetic.accompaniments.generator` makes the clips. A clip begins as a chart of chords
(``chords``, ``progressions``). A style of tfkey's own (``styles``, ``arranging``) or a groove of the program
MMA (``mma``) turns the chart into parts; ``melody`` adds one more; ``midi`` and ``rendering`` play them with
a soundfont.
"""
