"""From findings to a service order: cases, confirmation, decisions, prefill. Pure."""
