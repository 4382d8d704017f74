"""Backtests: what other rules would have made of the stored history, beside today's rules."""
