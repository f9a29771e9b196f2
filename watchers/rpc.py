"""The one checked JSON-RPC transport, used under web3, bitcoinrpc and the followers."""

