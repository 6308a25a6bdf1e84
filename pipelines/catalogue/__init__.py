"""The datasets that tfkey knows: descriptions, and lists of labels."""
