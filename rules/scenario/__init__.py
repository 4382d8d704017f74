"""Scenarios: a device's readings as short series, and what the rules must make of them, exactly when."""
