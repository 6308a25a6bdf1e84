"""Training, evaluation and tuning on prepared data."""
