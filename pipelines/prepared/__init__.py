"""Prepared data: its manifest, and how training reads it."""
