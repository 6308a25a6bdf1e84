"""Audio files: finding them, reading them as waveforms, and long ones window by window."""
