"""Keccak-256 as Ethereum uses it, by the faster of two libraries with the same results. Pure."""

try:
    from sha3 import keccak_256 as _keccak  # a compiled extra
except ImportError:
    from Crypto.Hash import keccak as _crypto

    def keccak(data: bytes) -> bytes:
        """Hash bytes; the original Keccak, not the SHA-3 of the later standard."""
        return _crypto.new(digest_bits=256, data=data).digest()
else:

    def keccak(data: bytes) -> bytes:
        """Hash bytes; the original Keccak, not the SHA-3 of the later standard."""
        digest: bytes = _keccak(data).digest()
        return digest
