"""The table of docs/operating.md: which sentence is promised for which network."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"


def rows() -> dict[str, str]:
    """Return the promised sentence for each network that a row names; one row may name two."""
    table = PAGE.read_text("utf-8").split("| on the network | the sentence |\n", 1)[1]
    found = re.findall(r"^\| (.+?) \| (.+?) \|$", table.split("\n\n", 1)[0], re.MULTILINE)
    return {network: said for networks, said in found for network in networks.split("; ")}


def promised(network: str) -> re.Pattern[str]:
    """Return what `meshnews wire` has to say there; figures are those of the moment."""
    words = re.escape(rows()[network])
    return re.compile(re.sub(r"\d+(?:\\\.\d+)?", r"[0-9.]+", words).replace("…", ".*"))
