"""The light runtime: from a waveform to probabilities with NumPy and LiteRT, without TensorFlow.

It applies the same constant-Q filters (:mod:`tfkey.cqt_filters`) and an exported network, and so gives the
probabilities of the full stack. Nothing in here imports TensorFlow, Keras or pydantic.
"""
