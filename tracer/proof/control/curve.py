"""ECDSA signatures on secp256k1 as they may be written in one way only: low s, strict DER, a key recovered. Pure.

Sources: BIP 62 and BIP 146 (low s), BIP 66 (strict DER), EIP-2 (the same bound on Ethereum).
"""

from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, der_to_cdata

from tracer.errors import SignatureWrong

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def recover(rs: bytes, parity: int, digest: bytes) -> PublicKey:
    """Recover the key that signed a digest: rs is r and s, 32 bytes each; parity 0 to 3. Raises SignatureWrong.

    A high s is refused: from every signature anybody can make a second one that way.
    """
    r, s = int.from_bytes(rs[:32], "big"), int.from_bytes(rs[32:], "big")
    if not 0 < r < ORDER or not 0 < s < ORDER:
        raise SignatureWrong("the signature has a number outside the curve's order")
    if s > ORDER // 2:
        raise SignatureWrong("the signature has a high s: it is the altered copy of another one")
    try:
        return PublicKey.from_signature_and_message(rs + bytes((parity,)), digest, hasher=None)
    except ValueError as error:
        raise SignatureWrong("the signature is of nobody: no key belongs to it") from error


def is_signed(key: bytes, der: bytes, digest: bytes) -> bool:
    """Whether a key signed a digest; raises SignatureWrong if the signature is not in strict DER or has a high s.

    A key that is not on the curve signed nothing.
    """
    try:
        strict: bool = cdata_to_der(der_to_cdata(der)) == der
    except ValueError:
        strict = False
    if not strict:
        raise SignatureWrong("a signature is not in strict DER")
    if int.from_bytes(der[6 + der[3] :], "big") > ORDER // 2:
        raise SignatureWrong("a signature has a high s: it is the altered copy of another one")
    try:
        return PublicKey(key).verify(der, digest, hasher=None)
    except ValueError:
        return False
