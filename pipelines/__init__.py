"""The data's way: catalogue, originals, splits, intervals, prepared data, ``tf.data``."""
