"""How a ledger comes to have its present tables, step by step; run by gateway.ledger.opening."""
