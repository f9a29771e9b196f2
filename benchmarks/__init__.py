"""Measures the daemon on dense chains against the naive loops that people write first."""
