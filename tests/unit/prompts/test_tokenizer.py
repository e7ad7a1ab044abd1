import pytest

from finevq.prompts import questions, templates
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS, NAMES, Dimension


@pytest.fixture(scope="module")
def prompter() -> NanoPrompter:
    return NanoPrompter(train_tokenizer())


def test_training_twice_gives_the_same_tokenizer():
    assert train_tokenizer().to_str() == train_tokenizer().to_str()


def test_special_tokens_come_first():
    tokenizer = train_tokenizer()
    ids = [tokenizer.token_to_id(token) for token in templates.SPECIAL_TOKENS]
    assert ids == list(range(len(templates.SPECIAL_TOKENS)))


def test_closed_answers_are_one_token_each(prompter: NanoPrompter):
    asked = [questions.rating(d) for d in DIMENSIONS]
    asked += [questions.distorted(d) for d in FAULT_DIMENSIONS]
    asked += [questions.attribute(ALL_ATTRIBUTES[0]), questions.most()]
    for question in asked:
        for choice in question.choices:
            ids = prompter.continuation_ids(question, question.stem, choice)
            assert len(ids) == 1, (question.text, choice)


def test_text_survives_encoding(prompter: NanoPrompter):
    text = templates.description("fair", "camera blur", ["low contrast"])
    assert prompter.decode(prompter.answer_ids(text)) == text


def test_a_suffix_is_question_then_opening(prompter: NanoPrompter):
    question = questions.rating(DIMENSIONS[0])
    suffix = prompter.suffix_ids(question, question.stem)
    assert suffix[0] == templates.SPECIAL_TOKENS.index(templates.QUESTION)
    answer = templates.SPECIAL_TOKENS.index(templates.ANSWER)
    opening = suffix[suffix.index(answer) + 1 :]
    assert prompter.decode(opening) == question.stem


def test_questions_whether_something_is_there_show_what_they_are_about(prompter: NanoPrompter):
    def shown(question: questions.Question) -> list[str]:
        beyond = [i - prompter.vocabulary_size for i in prompter.suffix_ids(question)]
        return [NAMES[place] for place in beyond if place >= 0]

    assert shown(questions.distorted(Dimension.BLUR)) == ["blur"]
    assert shown(questions.attribute("moire")) == ["moire"]
    assert shown(questions.most()) == [*FAULT_DIMENSIONS]
    # How good something is depends on all of the video.
    assert shown(questions.rating(Dimension.BLUR)) == []
    assert shown(questions.describe()) == []


def test_the_prefix_keeps_a_place_for_each_visual_token(prompter: NanoPrompter):
    prefix = prompter.prefix_ids(20)
    assert prefix.count(prompter.context_id) == 20
