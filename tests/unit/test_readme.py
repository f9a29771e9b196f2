"""The README's demo output is part of the recorded output, and what it links to exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_demo_output_shown_is_part_of_the_recorded_one() -> None:
    recorded = (ROOT / "docs" / "demo-output.txt").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert shown
    parts = shown.group(1).split("...\n")
    assert len(parts) > 3
    position = 0
    for part in parts:
        found = recorded.find(part.rstrip("\n"), position)
        assert found >= 0, f"not in docs/demo-output.txt, or in another order:\n{part}"
        position = found


def test_every_link_leads_to_a_file() -> None:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
