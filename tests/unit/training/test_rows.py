from dataclasses import replace
from pathlib import Path

import pytest
import torch

from builders.official_checkpoint import write_tokenizer
from builders.training import rating_records, tiny_model, yes_no_records
from finevq.model.finevq import FineVQ
from finevq.prompts import questions
from finevq.prompts.internlm2 import InternLM2Prompter
from finevq.prompts.internlm2_tokenizer import load_tokenizer
from finevq.prompts.prompter import NanoPrompter
from finevq.training.rows import Rows, make_rows
from finevq.vocabulary import DIMENSIONS, Dimension

NUM_VISUAL = 5


@pytest.fixture(scope="module")
def tiny() -> tuple[FineVQ, NanoPrompter]:
    model, prompter = tiny_model()
    return model.eval(), prompter


def rows_of(prompter: NanoPrompter, groups: list, **options: bool) -> Rows:
    return make_rows(prompter, NUM_VISUAL, groups, **{"learns_opening": False, **options})


def test_questions_that_share_a_row_answer_as_if_each_had_its_own(
    tiny: tuple[FineVQ, NanoPrompter],
):
    model, prompter = tiny
    records = [*rating_records(1, DIMENSIONS), *yes_no_records(1)]
    num_tokens = NUM_VISUAL + model.config.num_named_tokens
    visual = torch.randn(1, num_tokens, 32, generator=torch.Generator().manual_seed(0))
    packed = rows_of(prompter, [records])
    apart = rows_of(prompter, [[record] for record in records])
    assert apart.attention_bias is None

    def hidden(rows: Rows) -> torch.Tensor:
        out = model(
            model.embed(rows.token_ids, visual.expand(len(rows.token_ids), -1, -1)),
            attention_mask=rows.attention_bias,
            position_ids=rows.position_ids,
        )
        return out.hidden

    with torch.no_grad():
        one, many = hidden(packed), hidden(apart)
    for places in ("score_places", "token_places"):
        here, there = getattr(packed, places), getattr(apart, places)
        torch.testing.assert_close(
            one[here[:, 0], here[:, 1]], many[there[:, 0], there[:, 1]], atol=1e-5, rtol=1e-4
        )
    assert torch.equal(packed.targets, apart.targets)
    assert torch.equal(packed.scores, apart.scores)


def test_scores_belong_to_the_token_before_the_level_word(tiny: tuple[FineVQ, NanoPrompter]):
    _, prompter = tiny
    (record,) = rating_records(1, [Dimension.BLUR])
    rows = rows_of(prompter, [[record]])
    ((row, place),) = rows.score_places.tolist()
    suffix = prompter.suffix_ids(record.question, record.question.stem)
    assert (row, place) == (0, 1 + NUM_VISUAL + len(suffix) - 1)
    assert rows.scores.tolist() == pytest.approx([0.1])
    # That token predicts the level word, the first token that is learnt.
    assert rows.token_places[0].tolist() == [row, place]
    assert prompter.decode([int(rows.targets[0])]) == record.answer


def test_the_opening_is_learnt_where_asked_for(tiny: tuple[FineVQ, NanoPrompter]):
    _, prompter = tiny
    (record,) = rating_records(1, [Dimension.BLUR])
    rows = rows_of(prompter, [[record]], learns_opening=True)
    assert prompter.decode(rows.targets.tolist()) == f"{record.question.stem} {record.answer}"


def test_a_record_without_an_answer_teaches_its_score_alone(tiny: tuple[FineVQ, NanoPrompter]):
    _, prompter = tiny
    (record,) = rating_records(1, [Dimension.BLUR])
    rows = rows_of(prompter, [[replace(record, answer="")]])
    assert len(rows.targets) == 0
    assert torch.equal(rows.score_places, rows_of(prompter, [[record]]).score_places)


def test_a_model_without_a_head_gets_no_scores(tiny: tuple[FineVQ, NanoPrompter]):
    _, prompter = tiny
    rows = rows_of(prompter, [rating_records(1)], with_scores=False)
    assert len(rows.scores) == 0


@pytest.fixture(scope="module")
def internlm2(tmp_path_factory: pytest.TempPathFactory) -> InternLM2Prompter:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return InternLM2Prompter(load_tokenizer(folder), tokens_per_frame=4)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_paper_s_template_learns_the_message_and_reads_the_score_where_use_does(
    internlm2: InternLM2Prompter, dimension: Dimension
):
    question = questions.rating(dimension)
    turn = internlm2.turn(question, question.choices[3])
    spoken = turn.token_ids[turn.opening_start :]
    assert internlm2.decode(spoken).endswith("is good.")
    assert turn.token_ids[-1] in internlm2.stop_ids
    suffix = internlm2.suffix_ids(question, question.stem)
    assert list(turn.token_ids[: turn.answer_start]) == suffix


def test_the_official_place_of_the_score_is_the_fourth_token_from_the_end(tmp_path: Path):
    write_tokenizer(tmp_path)
    prompter = InternLM2Prompter(load_tokenizer(tmp_path), tokens_per_frame=4, compat="official")
    question = questions.rating(Dimension.OVERALL)
    turn = prompter.turn(question, question.choices[0])
    assert turn.answer_start - 1 == len(turn.token_ids) - 4


def test_closed_answers_are_spelt_as_the_official_data_spells_them(internlm2: InternLM2Prompter):
    question = questions.distorted(Dimension.NOISE)
    turn = internlm2.turn(question, "yes")
    assert internlm2.decode(turn.token_ids[turn.opening_start :]) == "Yes"
    most = questions.most()
    turn = internlm2.turn(most, most.choices[1])
    assert internlm2.decode(turn.token_ids[turn.answer_start :]) == "B"
