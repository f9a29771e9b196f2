"""What people read: answers over the store, each sentence bound to a check that ran for it."""
