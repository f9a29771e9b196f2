"""The Ethereum family: accounts, value traces, Transfer logs and fees of one EVM chain."""
