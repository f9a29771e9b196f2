"""Pure verification: what stored bytes show about a block, given its hash, and nothing that a node merely said."""
