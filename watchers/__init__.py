"""Everything that talks to nodes: one follower per chain, one folder per chain family."""
