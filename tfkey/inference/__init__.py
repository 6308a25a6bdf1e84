"""From a recording to its key by a trained network."""
