"""The questions that `tracer answer` knows: documented, answerable, and each by a view or command that is there."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from disposal import play_all

from tracer import cli
from tracer.errors import TracerError
from tracer.report.questions import QUESTIONS, Question, document
from tracer.store.describe import documented

DOC = Path(__file__).parents[2] / "docs" / "questions.md"
VIEWS = {view.name for view in documented()[1]}
COMMANDS = {"case status", "case history", "legs", "reconcile"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole disposal; nothing oversees it."""
    return play_all(tmp_path_factory.mktemp("questions") / "store.db")


def test_the_document_has_every_question() -> None:
    assert DOC.read_text(encoding="utf-8") == document()


def test_every_question_has_its_own_name_and_names_what_answers_it() -> None:
    assert len({question.id for question in QUESTIONS}) == len(QUESTIONS)
    for question in QUESTIONS:
        for part in question.by.split(", "):
            known = part in VIEWS or part in COMMANDS or part.startswith(("tracer ", "tracerd "))
            assert known, f"{question.id}: {part}"


@pytest.mark.parametrize("question", [one for one in QUESTIONS if one.sql], ids=lambda one: one.id)
def test_a_question_that_views_answer_is_answered_and_reads_only_what_it_names(store: Path, question: Question) -> None:
    arguments = ["--store", str(store), "answer", question.id, *(["HD-1"] if question.of_case else []), "--json"]
    done = CliRunner().invoke(cli.group, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    assert done.return_value in (0, 3, 4)
    read = {word.strip(",()") for word in question.sql.split() if word.strip("(").startswith("v_")}
    assert {word.partition(".")[0] for word in read} <= VIEWS
    assert all(name in question.sql for name in question.by.split(", ") if name.startswith("v_"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["what-is-love"], "nobody prepared the question"),
        (["whose-deposit"], "is about a case"),
        (["forward", "HD-1"], "Another command answers that"),
        (["where-does-it-stand", "HD-1"], "has no preset"),
        (["whose-deposit", "HD-9"], "HD-9"),
    ],
)
def test_a_question_that_cannot_be_answered_says_so_in_one_line(store: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli.group, ["--store", str(store), "answer", *arguments], standalone_mode=False)
    assert isinstance(done.exception, TracerError) and said in done.exception.line()
