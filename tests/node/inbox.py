"""An inbox read to its end, as tests look at it: with every text."""

from meshnews.node.dispatches.item import Item
from meshnews.node.node import Node


def everything(node: Node) -> list[Item]:
    """Return all items, the newest first."""
    listed = node.letters.listing(at_most=node.letters.count())
    return [node.letters.find_whole(heading.ref.id.hex()) for heading in listed]
