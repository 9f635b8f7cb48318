"""Models of words on the command line: what is asked for, shown, sampled, scored and refused."""

from __future__ import annotations

import json

import pytest

from gencli.model import load
from gencli.training import Training
from tests.conftest import SMALL
from tests.test_resume import until

TEXT = [
    f'{who} said: "{what}," and {where}.' for who in ("The man", "A dog", "The old dog") for what in ("Come in", "No")
    for where in ("he came - at last", "went (slowly) away", "the man left", "a dog came", "the old man came")
]  # fmt: skip
STEPS = ("--max-steps", "20")
WORDS = ("--level", "word")


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """lines.txt, thirty sentences and two with a rare word, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text(
        "\n".join([*TEXT, "The zebra left.", "A quagga left."]) + "\n", encoding="utf-8"
    )
    return "lines.txt"


@pytest.fixture(scope="session")
def word_model(tmp_path_factory):
    """A small model of the words of the sentences."""
    from gencli.model import train

    folder = tmp_path_factory.mktemp("words")
    (folder / "lines.txt").write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    options = {"hidden_size": 16, "layers": 1, "epochs": 60, "batch_size": 4, "seq_length": 16, "lr": 0.02}
    train(
        str(folder / "lines.txt"),
        folder / "lines.safetensors",
        threads=1,
        level="word",
        dropout=0.0,
        val_fraction=0.0,
        **options,
    )
    return folder / "lines.safetensors"


def trained_with(gencli, lines, *options):
    """The codec of a model trained with these options."""
    ended = gencli("train", lines, *SMALL, *STEPS, "--val-fraction", "0", *options)
    assert ended.code == 0, ended.err
    return load("lines.safetensors").codec


def test_options_reach_the_vocabulary(gencli, lines):
    codec = trained_with(gencli, lines, *WORDS)
    assert codec.options == {"split": "words", "lowercase": False, "min_count": 2}
    assert codec.unknown("The zebra, the quagga") == ["zebra", "quagga"]
    codec = trained_with(gencli, lines, *WORDS, "--min-count", "1", "--lowercase")
    assert codec.unknown("THE ZEBRA") == []
    codec = trained_with(gencli, lines, *WORDS, "--vocab-size", "5", "--split", "whitespace")
    assert codec.vocabulary_size == 7
    assert "said:" in codec.words


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ((), "char"),
        (("--min-count", "2"), "char"),
        (("--split", "whitespace"), "word"),
        (("--split", "words"), "word"),
        (("--vocab-size", "20"), "word"),
        (("--lowercase",), "word"),
    ],
)
def test_an_option_for_words_makes_a_model_of_words(gencli, lines, options, level):
    assert trained_with(gencli, lines, *options).level == level


def test_the_vocabulary_is_that_of_the_training_text_alone(gencli, lines, tmp_path):
    (tmp_path / "valid.txt").write_text("The gnu said: No.\n" * 3)
    ended = gencli("train", lines, *SMALL, *STEPS, *WORDS, "--valid", "valid.txt")
    assert ended.code == 0, ended.err
    assert load("lines.safetensors").unknown("The gnu said") == ["gnu"]


def told(ended):
    """What a command printed, wherever its lines break."""
    assert ended.code == 0, ended.err
    return " ".join((ended.out + ended.err).replace("\u2502", " ").split())


def test_the_plan_tells_the_vocabulary_and_what_it_lacks(gencli, lines, tmp_path):
    (tmp_path / "valid.txt").write_text("The gnu gnu gnu.\n")
    plain = (lines, *SMALL[:-1], *STEPS)
    plan = told(gencli("train", *plain, *WORDS, "--valid", "valid.txt"))
    assert "words (seen 2 times or more); <UNK> is 0.4% of the tokens to learn from, 50.0% of those held out" in plan
    assert "32 lines to learn from" in plan
    plan = told(gencli("train", *plain, *WORDS, "--val-fraction", "0", "--min-count", "1", "--lowercase"))
    assert "words (lowercase); all of the text's words: <UNK> is not learned" in plan
    plan = told(gencli("train", *plain, "--val-fraction", "0", "--split", "whitespace"))
    assert "words (seen 2 times or more, split at white space); <UNK> is 0.6% of the tokens to learn from" in plan
    assert "of those held out" not in plan
    assert "<UNK>" not in told(gencli("train", *plain, "--val-fraction", "0"))
    (tmp_path / "valid.txt").write_text("\u00e9\u00e9\u00e9\n")
    assert "<UNK> is 0.0% of the tokens to learn from, 75.0%" in told(gencli("train", *plain, "--valid", "valid.txt"))


def test_samples_read_as_the_corpus_does(gencli, word_model):
    ended = gencli("sample", word_model, "-n", "20", "-t", "0.3")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert len(lines) == 20
    assert any(line in TEXT for line in lines)
    assert all('said: "' in line or "said:" not in line for line in lines)
    assert not any("\ufffd" in line for line in lines)
    records = [
        json.loads(line) for line in gencli("sample", word_model, "-n", "20", "-t", "0.3", "--json").out.splitlines()
    ]
    assert [record["text"] for record in records] == lines
    assert [record["novel"] for record in records] == [line not in TEXT for line in lines]
    assert all(record["tokens"] < len(record["text"]) / 2 for record in records)


def test_unique_novel_and_stop(gencli, word_model):
    lines = gencli("sample", word_model, "-n", "10", "--unique", "--novel").out.splitlines()
    assert len(set(lines)) == len(lines) == 10
    assert not set(lines) & set(TEXT)
    stopped = gencli("sample", word_model, "-n", "10", "-t", "0.3", "--stop", ', "', "--stop", " and").out.splitlines()
    assert len(stopped) == 10
    assert not any(" and" in line for line in stopped)


@pytest.mark.parametrize("prompt", ["The man said:", "The man said: ", "The man"])
def test_a_prompt_goes_on_with_the_right_spacing(gencli, word_model, prompt):
    ended = gencli("sample", word_model, "-n", "10", "-t", "0.2", "-p", prompt)
    assert ended.err == ""
    assert all(line.startswith('The man said: "') for line in ended.out.splitlines())


def test_unknown_words_of_a_prompt_are_told_and_kept(gencli, word_model):
    ended = gencli("sample", word_model, "-p", "The gnu said \u00a7", "-l", "3")
    warning = "gencli: warning: --prompt: the model has never seen 'gnu', '\u00a7'; read as <UNK>\n"
    assert (ended.code, ended.err) == (0, warning)
    assert ended.out.startswith("The gnu said \u00a7")
    assert "'gnu'" in gencli("sample", word_model, "-p", "The gnu", "--strict").error
    alone = gencli("sample", word_model, "-p", "gnu", "-l", "3")
    assert (alone.code, alone.out[:3]) == (0, "gnu")


def test_a_prompt_is_read_in_small_letters_if_the_text_was(gencli, lines):
    trained_with(gencli, lines, *WORDS, "--lowercase")
    loud, quiet = (gencli("sample", "lines.safetensors", "-p", text, "-t", "0") for text in ("THE OLD", "the old"))
    assert (loud.err, quiet.err) == ("", "")
    assert loud.out.startswith("THE OLD")
    assert loud.out[7:] == quiet.out[7:] == quiet.out[7:].lower()
    model = load("lines.safetensors")
    assert not any(model.is_novel(text) for text in (TEXT[0], TEXT[0].lower(), TEXT[0].upper()))


def test_one_sample_streams_on_a_terminal(gencli, word_model, monkeypatch):
    plain = gencli("sample", word_model, "-p", "The man said: ").out
    monkeypatch.setattr("gencli.display.PlainConsole.is_terminal", property(lambda _: True))
    assert gencli("sample", word_model, "-p", "The man said: ").out == plain


def test_scores_count_words(gencli, word_model):
    (line,) = gencli("score", word_model, 'The gnu said: "No."', "--json").out.splitlines()
    record = json.loads(line)
    assert (record["tokens"], record["oov"]) == (9, 1)
    assert record["bits_per_character"] == pytest.approx(-record["logprob"] / 0.6931471805599453 / 19)
    ended = gencli("score", word_model, "A dog\tsaid\0", "--per-token")
    assert ended.code == 0
    assert ended.out.count("<UNK>") == 2


def test_info_tells_words(gencli, word_model):
    size = load(word_model).codec.vocabulary_size
    assert f"vocabulary {size} words (seen 2 times or more) corpus" in told(gencli("info", word_model))
    record = json.loads(gencli("info", word_model, "--json").out)
    assert {key: record[key] for key in ("level", "vocabulary_size", "split", "lowercase", "min_count")} == {
        "level": "word", "vocabulary_size": size, "split": "words", "lowercase": False, "min_count": 2,
    }  # fmt: skip


def test_an_interrupted_run_goes_on_with_its_words(begin, lines, tmp_path):
    options = {"level": "word", "lowercase": True, "min_count": 2, "epochs": 20.0, "max_steps": 20}
    whole = begin(lines, "whole.safetensors", **options)
    for _ in whole.fit():
        pass
    run = until(begin(lines, **options), 7)
    resumed = Training.resume([lines], run.output, 1)
    for _ in resumed.fit():
        pass
    resumed.network.team.close()
    assert run.output.read_bytes() == whole.output.read_bytes()


def test_a_model_of_words_begins_another(gencli, lines, word_model):
    begin = ("train", lines, *SMALL, *STEPS, "--init-from", word_model)
    assert gencli(*begin).code == 0
    assert load("lines.safetensors").codec == load(word_model).codec
    for options in (("--vocab-size", "5"), ("--split", "whitespace"), ("--lowercase",), ("--min-count", "1")):
        assert gencli(*begin, *options).error.startswith(options[0])
    assert gencli(*begin, "--level", "char").error == "--level char: the model to begin with has word"
    assert gencli(*begin, *WORDS).code == 0


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ((*WORDS, "--min-count", "100000"), "--min-count 100000: no word occurs that often; lower it"),
        ((*WORDS, "--min-count", "0"), "--min-count 0: must be at least 1"),
        ((*WORDS, "--vocab-size", "0"), "--vocab-size 0: must be at least 1"),
        (("--level", "char", "--vocab-size", "10"), "--vocab-size 10: only --level word has it"),
        (("--level", "char", "--split", "words"), "--split words: only --level word has it"),
        (("--level", "char", "--lowercase"), "--lowercase: only --level word has it"),
    ],
)
def test_refused_before_training(gencli, lines, tmp_path, options, fault):
    assert gencli("train", lines, *options).error == fault
    assert [path.name for path in tmp_path.iterdir()] == ["lines.txt"]


def test_an_unknown_split_is_a_wrong_choice(gencli, lines):
    ended = gencli("train", lines, "--split", "syllables")
    assert (ended.code, ended.err) == (2, "gencli: error: --split syllables: not one of words, whitespace\n")
