import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from builders.official_checkpoint import write_tokenizer
from finevq.errors import CheckpointError
from finevq.prompts import internlm2, questions
from finevq.prompts.internlm2 import InternLM2Prompter, video_prefix
from finevq.prompts.internlm2_tokenizer import load_tokenizer
from finevq.vocabulary import DIMENSIONS, QUALITY_LEVELS, Dimension


class Reference:
    """The official tokenizer's way: added tokens first, sentencepiece between them."""

    def __init__(self, folder: Path) -> None:
        self.processor = sentencepiece.SentencePieceProcessor(
            model_file=str(folder / "tokenizer.model")
        )
        self.added = json.loads((folder / "added_tokens.json").read_text())
        self.pattern = re.compile("(" + "|".join(map(re.escape, self.added)) + ")")

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in self.pattern.split(text):
            ids += [self.added[part]] if part in self.added else self.processor.encode(part)
        return ids


@pytest.fixture(scope="module", params=[False, True], ids=["bare", "dummy-prefix"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(path, add_dummy_prefix=request.param)
    return path


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder)


@pytest.fixture(scope="module")
def prompts(shared: Path) -> dict[str, dict[str, object]]:
    path = shared / "goldens" / "finevq" / "golden_data.json"
    return json.loads(path.read_text())["prompts"]


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_rating_prompts_are_the_official_texts(
    dimension: Dimension, prompts: dict[str, dict[str, object]]
) -> None:
    recorded = prompts[f"inference_{dimension}"]
    context = internlm2.CONTEXT
    prefix = video_prefix(8, 256, has_motion=True)
    prefix = prefix.replace(context * 256, f"{context}*256").replace(
        f"<img>{context}</img>", f"<img>{context}*1</img>"
    )
    level = "excellent" if dimension is Dimension.OVERALL else "good"
    mark = "" if dimension is Dimension.OVERALL else "<|video|> "
    answer = f"{internlm2.rating_stem(dimension)} {level}.<|im_end|>"
    asked = f"{internlm2.rating_question(dimension)}<|im_end|><|im_start|>assistant\n"
    assert f"{prefix}{mark}{asked}{answer}" == recorded["text"]
    assert answer == recorded["label_text"]


def test_yes_no_prompts_are_the_official_texts(prompts: dict[str, dict[str, object]]) -> None:
    text = str(prompts["qa_train_yesno"]["text"])
    prefix = video_prefix(8, 256, has_motion=False).replace(
        internlm2.CONTEXT * 256, f"{internlm2.CONTEXT}*256"
    )
    assert text.startswith(prefix)
    suffix = text.removeprefix(prefix)
    assert suffix == (
        f"\nMotion Feature: <image>{internlm2.yes_no_question('blur')}"
        "<|im_end|><|im_start|>assistant\nYes<|im_end|>"
    )


def test_lettered_prompts_are_the_official_texts(prompts: dict[str, dict[str, object]]) -> None:
    options = ["Noise", "Video quality is good", "Color", "Artifact"]
    asked = internlm2.lettered_question(
        "Which distortion dimension has the greatest impact on video quality", options
    )
    assert f"<image>{asked}<|im_end|>" in str(prompts["qa_train_which"]["text"])


def test_the_tokenizer_splits_every_prompt_as_sentencepiece_does(
    tokenizer: Tokenizer, reference: Reference
) -> None:
    texts = [video_prefix(2, 3, has_motion=True), "", " ", "  two  spaces ", "\n", "日本 naïve 🎥"]
    texts += [f"{questions.describe().text}<|im_end|>\n" for _ in range(1)]
    for dimension in DIMENSIONS:
        texts += [
            f"{internlm2.rating_question(dimension)}<|im_end|><|im_start|>assistant\n"
            f"{internlm2.rating_stem(dimension)} {level}.<|im_end|>"
            for level in QUALITY_LEVELS
        ]
    for text in texts:
        assert tokenizer.encode(text, add_special_tokens=False).ids == reference.encode(text), text


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="abcdefgilmnoqrstuvy .,?\n0123ÄéΩ中文🎥▁", max_size=60))
def test_any_text_is_split_as_sentencepiece_does(
    tokenizer: Tokenizer, reference: Reference, text: str
) -> None:
    assert tokenizer.encode(text, add_special_tokens=False).ids == reference.encode(text)


@pytest.mark.parametrize("text", ["The quality is good.", "两 spaces  kept", "🎥 1080p"])
def test_what_is_encoded_decodes_to_the_same_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids) == text


def prompter(tokenizer: Tokenizer, **options: object) -> InternLM2Prompter:
    return InternLM2Prompter(tokenizer, tokens_per_frame=4, **options)  # type: ignore[arg-type]


def whole_answer(tokenizer: Tokenizer, dimension: Dimension, level: str) -> list[int]:
    mark = "" if dimension is Dimension.OVERALL else "<|video|> "
    text = (
        f"{mark}{internlm2.rating_question(dimension)}<|im_end|><|im_start|>assistant\n"
        f"{internlm2.rating_stem(dimension)} {level}.<|im_end|>"
    )
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_suffix_and_choice_make_up_the_whole_answer(
    tokenizer: Tokenizer, dimension: Dimension
) -> None:
    question = questions.rating(dimension)
    writer = prompter(tokenizer)
    suffix = writer.suffix_ids(question, question.stem)
    for choice, level in zip(question.choices, QUALITY_LEVELS, strict=True):
        whole = whole_answer(tokenizer, dimension, level)
        continued = suffix + writer.continuation_ids(question, question.stem, choice)
        assert whole[: len(continued)] == continued
        assert tokenizer.decode(whole[len(continued) :], skip_special_tokens=False).startswith(".")
        assert writer.decode(continued).endswith(f"is {level}")


def test_the_score_is_read_before_the_level_however_many_tokens_the_level_has(
    folder: Path, tokenizer: Tokenizer
) -> None:
    question = questions.rating(Dimension.OVERALL)
    plain, official = prompter(tokenizer), prompter(tokenizer, compat="official")
    suffix = plain.suffix_ids(question, question.stem)
    assert tokenizer.decode(suffix).rstrip().endswith("the video is")
    whole = whole_answer(tokenizer, Dimension.OVERALL, "excellent")
    assert official.suffix_ids(question, question.stem) == whole[:-3]


def test_level_words_of_several_tokens_do_not_shift_the_place(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    state = json.loads(tokenizer.to_str())
    # Without merges every word is spelled letter by letter.
    state["model"]["merges"] = []
    spelled = Tokenizer.from_str(json.dumps(state))
    question = questions.rating(Dimension.OVERALL)
    writer = prompter(spelled)
    suffix = writer.suffix_ids(question, question.stem)
    assert spelled.decode(suffix).endswith("The overall quality of the video is ")
    letters = writer.continuation_ids(question, question.stem, "excellent")
    assert spelled.decode(letters) == "excellent"
    assert len(letters) == len("excellent")
    compat = prompter(spelled, compat="official")
    assert spelled.decode(compat.suffix_ids(question, question.stem)).endswith(" is excellen")


def test_the_prefix_holds_one_place_a_visual_token(tokenizer: Tokenizer) -> None:
    for has_motion, total in ((True, 9), (False, 8)):
        writer = prompter(tokenizer, has_motion=has_motion)
        assert writer.prefix_ids(total).count(writer.context_id) == total
    with pytest.raises(ValueError, match="11 visual tokens are no whole number of frames"):
        prompter(tokenizer).prefix_ids(11)


def test_prefix_and_suffix_never_merge(tokenizer: Tokenizer, reference: Reference) -> None:
    question = questions.free("Is the sky blue?")
    for has_motion in (True, False):
        writer = prompter(tokenizer, has_motion=has_motion)
        ids = writer.prefix_ids(8 + has_motion) + writer.suffix_ids(question)
        text = video_prefix(2, 4, has_motion=has_motion)
        lead = "<|video|> " if has_motion else "\nMotion Feature: <image>"
        text += f"{lead}Is the sky blue?<|im_end|><|im_start|>assistant\n"
        assert ids == reference.encode(text)


def test_closed_questions_answer_in_the_official_words(tokenizer: Tokenizer) -> None:
    writer = prompter(tokenizer, has_motion=False)
    question = questions.distorted(Dimension.BLUR)
    words = [
        writer.decode(writer.continuation_ids(question, question.stem, choice))
        for choice in question.choices
    ]
    assert words == ["Yes", "No"]
    most = questions.most()
    letters = [writer.decode(writer.continuation_ids(most, "", choice)) for choice in most.choices]
    assert letters == ["A", "B", "C", "D", "E", "F"]


def test_answers_stop_at_the_end_of_the_message(tokenizer: Tokenizer) -> None:
    ids: Sequence[int] = sorted(prompter(tokenizer).stop_ids)
    assert [tokenizer.id_to_token(index) for index in ids] == ["</s>", "<|im_end|>"]


def test_a_folder_without_a_tokenizer_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no tokenizer: tokenizer\.model"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\xff" * 20, b"\x0a\x05ab"])
def test_a_damaged_tokenizer_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(CheckpointError, match="not a sentencepiece model"):
        load_tokenizer(tmp_path)


def test_added_tokens_of_another_model_are_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    entry = {"<img>": 5000}
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "added_tokens.json").write_text(json.dumps(entry))
    with pytest.raises(CheckpointError, match=r"'<img>' should have id 5000 but gets"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_without_the_template_is_refused(folder: Path) -> None:
    bare = Tokenizer.from_str(load_tokenizer(folder).to_str().replace("<IMG_CONTEXT>", "<X>"))
    with pytest.raises(CheckpointError, match="lacks <IMG_CONTEXT>"):
        prompter(bare)
