"""Stores of readings."""
