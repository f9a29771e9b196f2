"""Custody Tracer's domain: pure rules, the store, and what people read."""

__version__ = "0.1.0"
