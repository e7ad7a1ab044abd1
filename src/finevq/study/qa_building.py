"""Labels in, checked and audited pairs out; the way of `finevq study qa`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finevq.errors import StudyError
from finevq.study.analysis import analyze
from finevq.study.labels import VideoLabels, make_labels, read_labels
from finevq.study.outputs import load_votes
from finevq.study.qa import QaPair, build_pairs, check_pair, count_families
from finevq.study.qa_audit import FamilyAudit, audit_pairs
from finevq.study.qa_phrasing import Endpoint, PhrasingReport, endpoint_speaker, rephrase

LABEL_METHOD = "finevd"


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOptions:
    """What is wanted."""

    families: tuple[str, ...]
    seed: int
    endpoint: Endpoint | None = None
    revise_in: Path | None = None
    """Folder of the study whose experimenter page shows the pairs."""
    revised_only: bool = False
    """Take the pairs that people accepted instead of building new ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltPairs:
    """Pairs with what is known of them."""

    pairs: tuple[QaPair, ...]
    audits: tuple[FamilyAudit, ...]
    phrasing: PhrasingReport

    def summary(self) -> str:
        """Say in words how many pairs there are and whether they can be guessed."""
        lines = [f"{family}: {count} pairs" for family, count in count_families(self.pairs).items()]
        if self.phrasing.num_rephrased or self.phrasing.num_refused:
            lines.append(
                f"said in other words: {self.phrasing.num_rephrased}; "
                f"kept as they were, since the new text did not agree: {self.phrasing.num_refused}"
            )
        lines += [
            f"audit, {audit.family}: a solver without the video gets {audit.accuracy:.1%}, "
            f"chance is {audit.chance:.1%} (standard error {audit.standard_error:.1%}): "
            + ("passed" if audit.passed else "FAILED, the text gives answers away")
            for audit in self.audits
        ]
        return "\n".join(lines)


def build(source: Path, options: BuildOptions) -> BuiltPairs:
    """Build pairs, have them said in other words, check and audit them.

    Args:
        source: A label file or a study's folder.
        options: What is wanted.

    Raises:
        StudyError: a pair contradicts its labels, or there is nothing to build from.
    """
    phrasing = PhrasingReport()
    if options.revised_only:
        pairs = _revised(source)
    else:
        pairs = build_pairs(_labels(source), options.seed, options.families)
        if options.endpoint is not None:
            pairs = list(rephrase(pairs, endpoint_speaker(options.endpoint), phrasing))
    for pair in pairs:
        if problem := check_pair(pair):
            raise StudyError(f"{pair.video}, {pair.question!r}: {problem}")
    if options.revise_in is not None:
        _put_up_for_revision(options.revise_in, pairs)
    return BuiltPairs(pairs=tuple(pairs), audits=tuple(audit_pairs(pairs)), phrasing=phrasing)


def write_pairs(pairs: Sequence[QaPair], target: Path | None) -> None:
    """Write pairs as JSON lines; to stdout where no file is named."""
    text = "".join(json.dumps(pair.to_dict(), ensure_ascii=False) + "\n" for pair in pairs)
    if target is None:
        sys.stdout.write(text)
    else:
        target.write_text(text, encoding="utf-8")


def _labels(source: Path) -> list[VideoLabels]:
    if not source.is_dir():
        return read_labels(source)
    loaded = load_votes(source)
    if loaded.results is None:
        raise StudyError(f"{source} is no study")
    return make_labels(loaded.results, analyze(loaded.tables, method=LABEL_METHOD))


def _revised(source: Path) -> list[QaPair]:
    from finevq.study.folder import open_study  # extra `study`
    from finevq.study.qa_revision import revised_pairs

    store = open_study(source)
    try:
        with store.reading() as session:
            return revised_pairs(session, store.study(session))
    finally:
        store.close()


def _put_up_for_revision(folder: Path, pairs: Sequence[QaPair]) -> None:
    from finevq.study.folder import open_study  # extra `study`
    from finevq.study.qa_revision import add_pairs

    store = open_study(folder)
    try:
        with store.writing() as session:
            add_pairs(session, store.study(session), pairs)
    finally:
        store.close()
