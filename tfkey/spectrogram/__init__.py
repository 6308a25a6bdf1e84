"""The constant-Q spectrogram: its filters, the Keras layers, and the same in NumPy alone."""
