"""Making a data set: repeatable, resumable, split by source, never stopped by one bad source."""

import json

import av
import cv2
import numpy as np
import pytest

from finevq.datasets.degradations.labels import WITHOUT_COLOR
from finevq.datasets.fault_preview import write_preview
from finevq.datasets.sources import find_sources
from finevq.datasets.synthesis import SynthesisConfig, synthesize
from finevq.datasets.synthetic import read_manifest, write_parquet
from finevq.errors import DatasetError
from finevq.vocabulary import ALL_ATTRIBUTES, Dimension


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(6):
        coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), cv2.resize(coarse, (200, 150)))
    return find_sources([folder], with_scikit_image=False)


def config(**changes):
    return SynthesisConfig(**{"count": 6, "seed": 3, "max_short_side": 96, **changes})


@pytest.fixture(scope="module")
def made(sources, tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    synthesize(out, sources, config())
    return out


def test_every_clip_has_a_file_labels_and_a_chain(made):
    clips = read_manifest(made)
    assert len(clips) == 6
    for clip in clips:
        assert clip.path.is_file()
        assert set(clip.mos) == set(Dimension)
        assert all(9 <= value <= 78 for value in clip.mos.values())
        assert set(clip.attribute_severities) <= set(ALL_ATTRIBUTES)
        assert min(clip.width, clip.height) <= 96
        assert {fault["attribute"] for fault in clip.chain} <= set(clip.attribute_severities)
        assert clip.chain or not any(clip.distorted.values())


def test_the_same_seed_gives_the_same_labels_and_pixels(made, sources, tmp_path):
    synthesize(tmp_path, sources, config())
    assert (tmp_path / "manifest.jsonl").read_text() == (made / "manifest.jsonl").read_text()
    for clip in read_manifest(made):
        assert (tmp_path / "clips" / clip.path.name).read_bytes() == clip.path.read_bytes()


def test_another_seed_gives_other_clips(made, sources, tmp_path):
    synthesize(tmp_path, sources, config(seed=4, count=2))
    assert read_manifest(tmp_path)[0] != read_manifest(made)[0]


def test_copies_show_the_frames_of_their_clip_with_one_more_fault(sources, tmp_path):
    synthesize(tmp_path, sources, config(count=12, copies=3, stills=True))
    clips = read_manifest(tmp_path)
    assert [clip.scene for clip in clips] == [0] * 4 + [1] * 4 + [2] * 4
    for start in (0, 4, 8):
        first, *copies = clips[start : start + 4]
        for copy in copies:
            assert (copy.source, copy.width, copy.fps) == (first.source, first.width, first.fps)
            assert len(copy.chain) == len(first.chain) + 1
            left = {fault["attribute"]: fault for fault in copy.chain}
            for fault in first.chain:
                same = left[fault["attribute"]]
                assert same["parameters"] == fault["parameters"]
                # A further fault may hide an earlier one, and never shows more of it.
                assert same["shown"] <= fault["shown"] + 0.05
            hidden = any(left[f["attribute"]]["shown"] < f["shown"] - 0.05 for f in first.chain)
            assert hidden or copy.mos[Dimension.OVERALL] < first.mos[Dimension.OVERALL]


def test_a_stopped_run_continues_to_the_same_result(made, sources, tmp_path):
    synthesize(tmp_path, sources, config(count=3))
    journal = tmp_path / "progress.jsonl"
    journal.write_text(journal.read_text() + '{"index": 3, "pa')  # torn by a kill
    (tmp_path / "clips/000001.mp4").unlink()
    (tmp_path / "clips/.000003.mp4.77.part").write_bytes(b"torn")
    synthesize(tmp_path, sources, config())
    assert (tmp_path / "manifest.jsonl").read_text() == (made / "manifest.jsonl").read_text()
    assert not list(tmp_path.rglob("*.part"))


def test_a_finished_run_is_left_alone(made, sources):
    before = {path: path.stat().st_mtime_ns for path in (made / "clips").iterdir()}
    synthesize(made, sources, config())
    assert before == {path: path.stat().st_mtime_ns for path in (made / "clips").iterdir()}


def test_a_folder_with_another_run_is_refused(made, sources):
    with pytest.raises(DatasetError, match="another seed"):
        synthesize(made, sources, config(seed=9))


def test_no_source_is_in_two_splits(made):
    splits = {}
    for clip in read_manifest(made):
        assert splits.setdefault(clip.source, clip.split) == clip.split


def test_a_broken_source_is_replaced_and_does_not_stop_the_run(sources, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "broken.mp4").write_bytes(b"no video")
    cv2.imwrite(str(folder / "fine.png"), np.full((150, 200, 3), 90, np.uint8))
    found = find_sources([folder], with_scikit_image=False)
    clips = read_manifest(synthesize(tmp_path / "out", found, config(count=4)))
    assert {clip.source for clip in clips} == {"mixed/fine.png"}


def test_only_broken_sources_are_an_error_with_the_reason(tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"no picture")
    found = find_sources([folder], with_scikit_image=False)
    with pytest.raises(DatasetError, match=r"broken\.jpg"):
        synthesize(tmp_path / "out", found, config(count=1))


def test_the_card_counts_what_is_there(made):
    card = json.loads((made / "card.json").read_text())
    assert card["clips"] == 6
    assert sum(card["splits"].values()) == 6
    assert card["failures"] == []


def test_parquet_holds_the_manifest(made):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write_parquet(made / "manifest.jsonl"))
    assert table.num_rows == 6
    clip = read_manifest(made)[2]
    assert json.loads(table["mos"][2].as_py())["blur"] == clip.mos[Dimension.BLUR]


def test_a_manifest_that_is_missing_or_broken_is_explained(tmp_path):
    with pytest.raises(DatasetError, match="finevq data synthesize"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    with pytest.raises(DatasetError, match="line 1"):
        read_manifest(tmp_path)


def test_the_contact_sheet_has_a_row_for_each_attribute(sources, tmp_path):
    path = write_preview(tmp_path / "s.png", sources, attributes=["moire", "stutter"])
    sheet = cv2.imread(str(path))
    one = cv2.imread(str(write_preview(tmp_path / "o.png", sources, attributes=["moire"])))
    assert sheet.shape[0] > one.shape[0]
    with pytest.raises(DatasetError, match="unknown attribute 'fog'"):
        write_preview(tmp_path / "s.png", sources, attributes=["fog"])
    with pytest.raises(DatasetError, match=r"\.png"):
        write_preview(tmp_path / "s.txt", sources)


@pytest.mark.full
def test_vmaf_is_high_for_clean_clips_and_low_for_severe_blur(sources, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    made = synthesize(tmp_path, sources, config(with_vmaf=True, stills=True, count=30))
    clips = read_manifest(made)
    assert all(0 <= clip.vmaf <= 100 for clip in clips)
    clean = [clip.vmaf for clip in clips if not clip.chain]
    blurred = [clip.vmaf for clip in clips if clip.severities[Dimension.BLUR] > 0.6]
    assert clean
    assert blurred
    assert min(clean) > 85 > min(blurred)


@pytest.mark.full
def test_two_processes_make_the_same_clips_as_one(made, sources, tmp_path):
    synthesize(tmp_path, sources, config(workers=2))
    assert (tmp_path / "manifest.jsonl").read_text() == (made / "manifest.jsonl").read_text()


def test_stills_are_short_and_have_no_faults_of_time(sources, tmp_path):
    synthesize(tmp_path, sources, config(stills=True, count=8))
    clips = read_manifest(tmp_path)
    assert {clip.num_frames for clip in clips} == {3}
    assert not any(clip.severities[Dimension.TEMPORAL] for clip in clips)
    assert any(clip.chain for clip in clips)


def test_gray_sources_have_no_color_and_the_others_stay_as_they_were(sources, tmp_path):
    synthesize(tmp_path / "color", sources, config(count=8, stills=True))
    synthesize(tmp_path / "some", sources, config(count=8, stills=True, gray_share=0.5))
    before, after = read_manifest(tmp_path / "color"), read_manifest(tmp_path / "some")
    grays = [clip.is_gray for clip in after]
    assert 0 < sum(grays) < len(grays)
    assert not any(clip.is_gray for clip in before)
    for clip, other in zip(before, after, strict=True):
        if not other.is_gray:
            assert other.path.read_bytes() == clip.path.read_bytes()
            assert other.mos == clip.mos
            continue
        # Nobody can tell why a picture has no color: it lacks color, whoever took it.
        assert other.attribute_severities["low saturation"] >= WITHOUT_COLOR
        assert "low saturation" in other.attributes
        assert other.distorted[Dimension.COLOR]
        if not clip.distorted[Dimension.COLOR]:
            assert other.mos[Dimension.COLOR] < clip.mos[Dimension.COLOR] - 20
        colored = {"other color", "gaussian noise", "other noise", "impulse noise", "moire"}
        if not any(fault["attribute"] in colored for fault in other.chain):
            with av.open(str(other.path)) as container:
                frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
            assert np.ptp(frame, axis=2).max() <= 12


def test_each_clip_has_one_of_the_attributes_that_were_asked_for(sources, tmp_path):
    asked = ("other artifact", "ringing")
    synthesize(tmp_path, sources, config(stills=True, count=12, attributes=asked))
    chains = [[fault["attribute"] for fault in clip.chain] for clip in read_manifest(tmp_path)]
    assert len(chains) == 12
    assert all(set(chain) & set(asked) for chain in chains)
    with pytest.raises(DatasetError, match="another seed, engine version, options"):
        synthesize(tmp_path, sources, config(stills=True, count=12))


@pytest.mark.parametrize(
    ("attribute", "changes"),
    [("sepia", {}), ("stutter", {"stills": True}), ("shake", {"copies": 2})],
)
def test_an_attribute_that_no_such_clip_has_is_refused_before_anything_is_made(
    sources, tmp_path, attribute, changes
):
    with pytest.raises(DatasetError, match=f"'{attribute}'.*give one of these: .*camera blur"):
        synthesize(tmp_path / "run", sources, config(attributes=(attribute,), **changes))
    assert not (tmp_path / "run").exists()


def test_another_share_of_gray_sources_is_another_run(sources, tmp_path):
    synthesize(tmp_path, sources, config(count=1, stills=True))
    with pytest.raises(DatasetError, match="another seed, engine version, options or sources"):
        synthesize(tmp_path, sources, config(count=1, stills=True, gray_share=0.5))
