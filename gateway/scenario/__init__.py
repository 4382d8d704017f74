"""Rule tests: scenarios run through the gateway's own pipeline in virtual time, and judged."""
