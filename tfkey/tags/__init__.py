"""Keys in the tags of audio files."""
