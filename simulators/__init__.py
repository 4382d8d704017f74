"""Simulated devices with injected faults: physical models that know nothing of the rules."""
