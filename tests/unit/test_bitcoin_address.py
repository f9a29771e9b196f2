"""Addresses, against the vectors of BIP-173 and BIP-350 and against every kind of mistyping."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchers.bitcoin.address import NETWORKS, address_of, describe, descriptor_scripts, script_of

P2WPKH = bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6")
G = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
G_LONG = (
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)
XPUB = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"


@pytest.mark.parametrize(
    ("address", "network", "script"),
    [
        # BIP-350, valid
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "main", P2WPKH.hex()),
        (
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
            "test",
            "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
        ),
        (
            "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
            "main",
            "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
        ),
        ("BC1SW50QGDZ25J", "main", "6002751e"),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "main", "5210751e76e8199196d454941c45d1b3a323"),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "main",
            "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        ),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "main", "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac"),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "main", "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87"),
        ("1111111111111111111114oLvT2", "main", "76a914000000000000000000000000000000000000000088ac"),
    ],
)
def test_known_addresses_and_their_scripts(address: str, network: str, script: str) -> None:
    assert script_of(address, network).hex() == script
    written = address_of(bytes.fromhex(script), network)
    assert written == (address.lower() if address[:2].lower() in ("bc", "tb") else address)


@pytest.mark.parametrize(
    ("address", "network", "reason"),
    [
        ("", "main", "empty"),
        # another network
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "main", "address of testnet"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "regtest", "address of mainnet, not of regtest"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "signet", "address of mainnet, not of signet"),
        ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "main", "address of testnet, not of mainnet"),
        ("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1", "main", "another coin"),
        # mistyped
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "main", "wrong checksum"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", "main", "wrong checksum"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t", "main", "wrong checksum or length"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN", "main", "wrong checksum"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3to", "main", "contains 'o'"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVNO", "main", "contains 'O'"),
        ("bc1qw508D6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "main", "upper and lower case"),
        ("Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "main", "upper and lower case"),
        ("1bvbmseystwetqtfn5au4m4gfg7xjanvn2", "main", "contains 'l'|wrong checksum"),
        # look-alikes and blanks
        (
            "bc1qw508d6qejxtdg4y5r3z\u0430rvary0c5xw7kv8f3t4",
            "main",
            "character 24 is CYRILLIC SMALL LETTER A",
        ),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN\uff12", "main", "FULLWIDTH DIGIT TWO"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\u200b", "main", "ZERO WIDTH SPACE"),
        (" 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "main", "character 1 is SPACE"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2\n", "main", "control character"),
        # BIP-350, invalid: checksum kind, version, length, padding
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "main", "BIP-350"),
        ("BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", "main", "BIP-350"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "main", "BIP-350"),
        ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "main", "BIP-350"),
        ("bc1pw5dgrnzv", "main", "BIP-350"),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "main", "BIP-350"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "main", "BIP-350"),
        ("bc1gmk9yu", "main", "BIP-350"),
        # other lengths
        ("1" * 25, "main", "wrong checksum|instead of 21"),
        ("16UwLL9Risc3QfPqBUvKofHmBQ7wMtjvM16UwLL9Risc3", "main", "45 characters"),
        ("0014751e76e8199196d454941c45d1b3a323f1433bd6", "main", "contains '0'"),
    ],
)
def test_what_is_no_address_here_is_refused_with_the_reason(address: str, network: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        script_of(address, network)
    assert "\n" not in str(caught.value)


def _scripts() -> st.SearchStrategy[bytes]:
    def sized(length: int) -> st.SearchStrategy[bytes]:
        return st.binary(min_size=length, max_size=length)

    versions = st.tuples(st.integers(0x51, 0x60), st.binary(min_size=2, max_size=40))
    return st.one_of(
        sized(20).map(lambda digest: b"\x76\xa9\x14" + digest + b"\x88\xac"),
        sized(20).map(lambda digest: b"\xa9\x14" + digest + b"\x87"),
        sized(20).map(lambda digest: b"\x00\x14" + digest),
        sized(32).map(lambda digest: b"\x00\x20" + digest),
        versions.map(lambda pair: bytes([pair[0], len(pair[1])]) + pair[1]),
    )


@given(_scripts(), st.sampled_from(sorted(NETWORKS)), st.sampled_from(sorted(NETWORKS)))
def test_an_address_is_read_back_on_its_network_only(script: bytes, network: str, other: str) -> None:
    address = address_of(script, network)
    assert address is not None
    assert script_of(address, network) == script
    if address.startswith(("bc1", "tb1", "bcrt1")):
        assert script_of(address.upper(), network) == script
    if address_of(script, other) != address:
        with pytest.raises(ValueError, match="is an address of"):
            script_of(address, other)


@given(_scripts(), st.sampled_from(sorted(NETWORKS)), st.data())
def test_one_changed_character_is_always_noticed(script: bytes, network: str, data: st.DataObject) -> None:
    address = address_of(script, network)
    assert address is not None
    place = data.draw(st.integers(0, len(address) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=0x0500).filter(lambda c: c != address[place]))
    changed = address[:place] + letter + address[place + 1 :]
    with pytest.raises(ValueError):
        script_of(changed, network)


@given(st.binary(max_size=80))
def test_any_bytes_have_a_name(script: bytes) -> None:
    name = describe(script, "main")
    assert name.isascii()
    assert name == (address_of(script, "main") or name.split(":")[0] + ":" + hashlib.sha256(script).hexdigest()[:16])


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("21" + G + "ac", "p2pk:"),
        ("41" + G_LONG + "ac", "p2pk:"),  # not the address of the key's hash
        ("5121" + G + "21" + G + "52ae", "multisig-1-of-2:"),
        ("6a0461626364", "op_return:"),
        ("6a", "op_return:"),
        ("51", "script:"),
        ("", "empty-script:"),
        ("0015" + "00" * 21, "script:"),  # version 0 must be 20 or 32 bytes
        ("5101aa", "script:"),
    ],
)
def test_scripts_without_an_address_get_none(script: str, name: str) -> None:
    assert address_of(bytes.fromhex(script), "main") is None
    assert describe(bytes.fromhex(script), "main").startswith(name)


@pytest.mark.parametrize(
    ("descriptor", "scripts"),
    [
        (f"wpkh({G})", [P2WPKH.hex()]),
        (f"pkh({G})", ["76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"]),
        (f"sh(wpkh({G}))", ["a914bcfeb728b584253d5f3f70bcb780e9ef218a68f487"]),
        (f"pk({G})", [f"21{G}ac"]),
        (f"pk({G_LONG})", [f"41{G_LONG}ac"]),
        (f"multi(1,{G},{G})", [f"5121{G}21{G}52ae"]),
        ("raw(6a0461626364)", ["6a0461626364"]),
        ("addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)", [P2WPKH.hex()]),
        # BIP-86
        (f"tr({G})", ["5120da4710964f7852695de2da025290e24af6d8c281de5a0b902b7135fd9fd74d21"]),
    ],
)
def test_descriptors_without_a_range_give_one_script(descriptor: str, scripts: list[str]) -> None:
    assert [script.hex() for script in descriptor_scripts(descriptor, 0, 5, "main")] == scripts


def test_a_ranged_descriptor_gives_each_index_and_branch() -> None:
    plain = descriptor_scripts(f"wpkh({XPUB}/0/*)", 3, 5, "main")
    assert len(set(plain)) == 3
    both = descriptor_scripts(f"wpkh({XPUB}/<0;1>/*)", 3, 5, "main")
    assert both[::2] == plain
    assert len(set(both)) == 6


@pytest.mark.parametrize(
    ("descriptor", "network", "reason"),
    [
        (f"wpkh({G})#aaaaaaaa", "main", "checksum"),
        (f"wpkh({XPUB}/*)", "regtest", "not written for regtest"),
        ("wpkh(L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1)", "main", "private key"),
        (f"wpkh({XPUB}/*h)", "main", "cannot be used"),
        (f"wpkh({XPUB}/0'/*)", "main", "cannot be used"),
        ("wpkh(", "main", "cannot be used"),
        ("wpkh()", "main", "cannot be used"),
        ("", "main", "empty"),
        ("addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)", "regtest", "address of mainnet"),
        ("raw(zz)", "main", "cannot be used"),
        (f"wpkh({G}) ", "main", "SPACE"),
        (f"wpkh({G})x", "main", "cannot be used"),
        (f"multi(3,{G},{G})", "main", "cannot be used"),
    ],
)
def test_a_descriptor_that_cannot_be_meant_is_refused(descriptor: str, network: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        descriptor_scripts(descriptor, 0, 1, network)


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (2, 1), (0, 2**31)])
def test_a_range_out_of_order_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="range"):
        descriptor_scripts(f"wpkh({XPUB}/*)", first, last, "main")


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown Bitcoin network"):
        script_of("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "mainnet")
