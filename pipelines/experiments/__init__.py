"""Training, judging and tuning on prepared data."""
