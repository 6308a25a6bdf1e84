"""From originals to prepared data, in each of the three modes."""
