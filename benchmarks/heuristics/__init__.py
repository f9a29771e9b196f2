"""How often the heuristics are right, on a made-up set whose truth is known."""
