"""What the README shows is run as it stands there, in an empty folder; only the time budget is cut short."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gencli.documents import cut_documents

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHORTER = {
    "--minutes 2": "--minutes 0.03",
    "--minutes 5": "--minutes 0.03",
    "train jazz": "train jazz --max-steps 5",
}


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The words of every gencli command in a shell block, comments off."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("gencli ")]
    for long, short in SHORTER.items():
        lines = [line.replace(long, short) for line in lines]
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README takes for granted: names.txt, book.txt and a model of dinosaurs."""
    names = (ROOT / "corpora" / "dinosaurs.txt").read_text(encoding="utf-8").splitlines()
    tales = (ROOT / "corpora" / "tales.txt").read_text(encoding="utf-8")
    (tmp_path / "names.txt").write_text("\n".join(names[::20]) + "\n", encoding="utf-8")
    paragraphs = [document.text for document in cut_documents([("tales", tales)], "paragraph")]
    (tmp_path / "book.txt").write_text("\n\n".join(paragraphs[:40]) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_works(folder: Path, gencli) -> None:  # type: ignore[no-untyped-def]
    told = commands()
    assert {words[0] for words in told} == {"train", "sample", "score"}
    assert gencli("train", "dinosaurs", "--epochs", "1").code == 0
    for words in told:
        ended = gencli(*words)
        assert ended.code == 0, (words, ended.err)
    assert (folder / "losses.png").stat().st_size > 0
    assert (folder / "run.jsonl").stat().st_size > 0


def test_the_python_example_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 12


def test_the_commands_that_set_up_are_marked_for_the_build() -> None:
    for marker, ending in (("install", "-n 10"), ("tests", "-m pytest --cov")):
        block = re.search(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", README, re.DOTALL)
        assert block is not None
        assert block.group(1).endswith(ending)
