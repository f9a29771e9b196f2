"""The error tree: every error says what the reader should do next. Pure."""

from typing import ClassVar


class TracerError(Exception):
    """Anything this product raises on purpose."""

    fix: ClassVar[str] = "Report this with the command you ran."

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.remedy = fix if fix is not None else self.fix

    def line(self) -> str:
        """The one line that people see: what is wrong, then what to do."""
        return f"{self}. {self.remedy}"


class OperatorError(TracerError):
    """Something only a person can put right; exit code 2."""


class Retryable(TracerError):
    """A node or network fault that may pass: the follower waits and asks again."""

    fix = "Nothing to do if it passes; check the node if it stays."


class Alarm(TracerError):
    """The chain or the node contradicts what is stored: that chain halts and nothing is changed."""


class BadConfig(OperatorError):
    """The configuration or a case file has a key, type or value that cannot be used."""

    fix = "Correct the key named above. Nothing was written."


class WrongNetwork(OperatorError):
    """The node's genesis block or chain id is not the one the configuration or the store names."""

    fix = "Point `rpc_url` at a node of the configured network, or correct `network`. Nothing was written."


class StoreLocked(OperatorError):
    """Another daemon owns the store."""

    fix = "Stop the other tracerd, or give this one its own store with `--store`."


class StoreUnusable(OperatorError):
    """The store is missing, newer than this program, or not one of ours."""

    fix = "Check the path given with `--store`; `tracerd sync` creates a new store."


class CaseRefused(OperatorError):
    """A case cannot be imported as it stands."""

    fix = "Correct the case file and import it again. Nothing was written."


class LabelsRefused(OperatorError):
    """A file of labels cannot be imported as it stands."""

    fix = "Correct the file and import it again. Nothing was written."


class ControlRefused(OperatorError):
    """What was filed does not show control of an address: not for this case, address, chain or time, or used before."""

    fix = "Have a new statement written and signed. Nothing was recorded."


class SignatureWrong(ControlRefused):
    """A signature is not one of this text by the key of this address, or is not written in the one way it can be."""

    fix = "Sign exactly the text that was given, with the key of the address that it names. Nothing was recorded."


class ControlUnsupported(ControlRefused):
    """A signature, or the kind of address, cannot be judged here: it may be right."""

    fix = "Use a method that docs/control.md names for this kind of address. Nothing was recorded."


class NodeLacks(OperatorError):
    """The node is reachable but cannot answer something the configuration needs."""

    fix = "Give the node what it lacks, or point `rpc_url` at one that has it."


class NodeUnavailable(Retryable):
    """The node does not answer, is warming up, or answered out of protocol."""


class NodeMissing(Retryable):
    """The node says that it does not have the block, transaction or state asked for (now)."""


class HeadersLost(Retryable):
    """The headers that a block stands on are not in memory; they are taken up from the store again."""


class FinalityBroken(Alarm):
    """The node shows another block at or below the height that is final here."""

    fix = "Compare the node with a second one; this chain stays halted until an operator has settled it."


class StillHalted(Alarm):
    """The chain halted before, and nobody has settled why: it was told then, and nothing is asked of a node."""

    fix = "Settle it as `tracerd settle --help` says; until then this chain is not followed."


class BlockRefused(Alarm):
    """A block does not stand up to its own header, or its header to the chain's rules: it is kept, and not followed.

    evidence: the bytes that show it (a header, a block), as far as there are any.
    """

    fix = "Compare the node with a second one; the chain stays halted until that or an operator has settled it."

    def __init__(self, message: str, *, height: int, block: bytes, evidence: bytes = b"") -> None:
        super().__init__(message)
        self.height, self.block, self.evidence = height, block, evidence


class Inconsistent(Alarm):
    """The node's answers contradict each other or the rules they must obey."""

    fix = "Compare the node with a second one; nothing of this block was stored."
