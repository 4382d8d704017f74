"""The expression language of rules: grammar, typed tree, compilation to numpy."""
