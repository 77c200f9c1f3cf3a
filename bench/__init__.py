"""Measurements: each module prints one table; figures, not tests."""
