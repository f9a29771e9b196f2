"""The engine for graphs of a million transactions: the rules of `tracer.taint.rules` over columns, not objects."""
