"""Custody: what a case declares, and what the chain is held against."""
