"""Stores of cases, orders and decisions."""
