"""What tests of the whole daemon share: real devnets with ground truth, the daemon's process, what its store holds."""
