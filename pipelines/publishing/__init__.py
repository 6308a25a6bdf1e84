"""Archives of prepared spectrograms, for others."""
