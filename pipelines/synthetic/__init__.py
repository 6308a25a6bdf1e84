"""Synthetic music with keys known by construction, composed and rendered on this machine.

Four kinds of clips (:mod:`pipelines.synthetic.electronic`, :mod:`pipelines.synthetic.accompaniments`,
:mod:`pipelines.synthetic.songs`, :mod:`pipelines.synthetic.tunes`) share a form
(:mod:`pipelines.synthetic.clip`), harmony and effects.
"""
