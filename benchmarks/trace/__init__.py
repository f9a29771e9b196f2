"""Measures tracing over a store with a million transactions, against what others would use."""
