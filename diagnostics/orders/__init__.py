"""Service orders: their shape, the registry, and filling them in."""
