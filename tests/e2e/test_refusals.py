"""What was changed, is somebody else's, or is signed wrongly is refused with a plain sentence."""

from pathlib import Path

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.world import open_world

pytestmark = pytest.mark.e2e


def flipped(path: Path, place: int) -> Path:
    """Return a copy of a file with one bit of it changed."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    changed = path.with_name(f"{path.name}.changed")
    changed.unlink(missing_ok=True)
    changed.write_bytes(data)
    return changed


def test_changed_files_and_files_of_others_are_refused(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        first, other = (
            newsroom.add("reporter-1", "reporter"),
            newsroom.add("reporter-2", "reporter"),
        )
        request, card = newsroom.request(first), tmp_path / "first.card"
        newsroom.request(other)

        changed = flipped(request, 100)
        answer = editor.cli("desk", "card", str(changed), "--byline", "reporter-1", "-o",
                            str(card), "--words-compared", check=False)  # fmt: skip
        assert answer.returncode != 0
        assert "changed on its way" in answer.stderr
        assert not card.exists()

        editor.cli("desk", "card", str(request), "--byline", "reporter-1", "-o", str(card),
                   "--words-compared")  # fmt: skip
        for file in (flipped(card, 40), flipped(card, card.stat().st_size - 1)):
            answer = first.cli("enrol", "--card", str(file), "--words-compared", check=False)
            assert answer.returncode != 0
            assert "does not answer" in answer.stderr
            assert "Nothing was taken in." in answer.stderr
        answer = other.cli("enrol", "--card", str(card), "--words-compared", check=False)
        assert answer.returncode != 0
        assert "does not answer" in answer.stderr
        first.cli("enrol", "--card", str(card), "--words-compared")

        second = newsroom.add("editor-2", "editor")
        joining = newsroom.request(second)
        unsigned, signed = tmp_path / "unsigned", tmp_path / "signed"
        editor.cli("desk", "editor", str(joining), "-o", str(unsigned), "--words-compared")
        editor.cli("desk", "sign", str(unsigned), "--root-folder", str(tmp_path / "root"),
                   "--root-passphrase-file", str(editor.passphrase_file),
                   "-o", str(signed))  # fmt: skip
        for file in (unsigned, flipped(signed, signed.stat().st_size - 1)):
            answer = editor.cli("desk", "editor", str(joining), "--signed", str(file), "-o",
                                str(tmp_path / "no.card"), check=False)  # fmt: skip
            assert answer.returncode != 0
            assert "the root has not signed it" in answer.stderr
            assert "Nothing was published." in answer.stderr
            assert not (tmp_path / "no.card").exists()
