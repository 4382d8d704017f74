"""Stores of readings: all that devices said, kept in the order in which it came."""
