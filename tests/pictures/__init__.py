"""The pictures of the handbook: ``make pictures``, or ``python -m tests.pictures [KIND...]``."""
