"""Statements that were signed as typed data (EIP-712): from the JSON of a wallet back to their text. Pure."""

import json

from eth_utils.address import to_checksum_address

from tracer.errors import ControlRefused
from tracer.proof.control.ethereum import typed_data
from tracer.proof.control.message import Statement, seconds, write
from tracer.types import ChainId, Hash, Holder

FIX = "Give the file that `tracerd statement CASE WATCH --typed` made, unchanged."


def text_of(data: str) -> str:
    """The text of the statement that typed data is of; raises ControlRefused.

    Every field has to be there as `typed_data` writes it: what the wallet was shown is what the text says.
    """
    try:
        told = json.loads(data)
        message = told["message"]
        account, block, nonce = (
            bytes.fromhex(message[key].removeprefix("0x")) for key in ("account", "block", "nonce")
        )
        address, expires = str(to_checksum_address(account)), seconds(message["expires"])
        about = (message["caseId"], message["watchId"], ChainId(message["chain"]), address, Holder(account))
        statement = Statement(*about, message["height"], Hash(block), message["purpose"], nonce, expires)
        text, same = write(statement), typed_data(statement) == told
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ControlRefused("the statement begins as JSON, and is no typed data of one", FIX) from error
    if not same:
        raise ControlRefused("the typed data is not as it was written", FIX)
    return text
