"""Stores of cases, orders and decisions: what was done, and why."""
