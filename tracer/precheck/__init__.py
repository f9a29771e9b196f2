"""Holds a transaction that nobody has broadcast yet against the leg that it is meant for."""
