"""What a signature by the key of an address shows: control of it at a block, and no more. Pure."""
