"""Tracing: how seized value spreads over transactions, by exact integer rules."""
