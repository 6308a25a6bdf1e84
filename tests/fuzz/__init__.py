"""Fuzzing all that parses bytes of other people's files: ``python -m tests.fuzz TARGET --runs 1000000``."""
