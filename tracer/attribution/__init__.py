"""The INFERRED lane: labels that others published, and heuristics; nothing here ever touches an amount."""
