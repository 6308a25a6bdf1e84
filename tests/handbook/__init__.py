"""The code in docs/: found, run in a home folder of its own, its output compared with the pages."""
