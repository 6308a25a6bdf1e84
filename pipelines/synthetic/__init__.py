"""Synthetic music with keys known by construction, composed and rendered on this machine.

Three kinds of clips (:mod:`pipelines.synthetic.electronic`, :mod:`pipelines.synthetic.accompaniments`,
:mod:`pipelines.synthetic.songs`) share a form (:mod:`pipelines.synthetic.clip`), harmony and effects.
"""
