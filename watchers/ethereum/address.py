"""How an Ethereum account is written and read (EIP-55). Pure."""

from string import hexdigits

from eth_utils.address import is_checksum_address, to_checksum_address

from tracer.types import Holder

ACCOUNT_BYTES = 20


def account_of(text: str) -> Holder:
    """Read an address: `0x` and 40 hex digits, all in lower case or with the checksum of EIP-55.

    Raises ValueError saying what is wrong; nothing is trimmed or repaired.

    >>> account_of("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266").hex()
    'f39fd6e51aad88f6f4ce6ab8827279cfffb92266'
    """
    for place, letter in enumerate(text, start=1):
        if not letter.isascii() or not letter.isprintable():
            raise ValueError(f"character {place} is U+{ord(letter):04X}, not a hex digit: it may only look like one")
    if not text.startswith("0x"):
        raise ValueError(f"{text!r} does not begin with 0x")
    digits = text[2:]
    for place, letter in enumerate(digits, start=3):
        if letter not in hexdigits:
            raise ValueError(f"character {place} of {text!r} is {letter!r}, not a hex digit")
    if len(digits) != 2 * ACCOUNT_BYTES:
        raise ValueError(f"{text!r} has {len(digits)} hex digits, an Ethereum address has 40")
    if digits != digits.lower() and not is_checksum_address(text):
        raise ValueError(f"{text!r} has a wrong EIP-55 checksum: copy it again from its source, character by character")
    return Holder(bytes.fromhex(digits))


def address_of(account: bytes) -> str:
    """Write an account with the checksum of EIP-55; raises ValueError if it is not 20 bytes.

    >>> address_of(bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"))
    '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
    """
    if len(account) != ACCOUNT_BYTES:
        raise ValueError(f"an Ethereum account has 20 bytes, not {len(account)}")
    return str(to_checksum_address(account))
