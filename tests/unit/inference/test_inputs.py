import os
from pathlib import Path

import pytest

from finevq.errors import InvalidInputError, NoVideosFoundError
from finevq.inference.inputs import find_one_video, find_videos, natural_key
from finevq.records import Failure


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def touch(folder: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_a_folder_gives_its_videos_at_any_depth_in_natural_order(work: Path):
    touch(work, "c/clip10.mp4", "c/clip9.MOV", "c/deep/er/a.webm", "c/poster.jpg", "c/notes.txt")
    touch(work, "c/.hidden.mp4", "c/.git/x.mp4")
    assert find_videos(["c"]).paths == ("c/clip9.MOV", "c/clip10.mp4", "c/deep/er/a.webm")


def test_the_current_folder_adds_no_dot_to_names(work: Path):
    touch(work, "a.mp4")
    assert find_videos(["."]).paths == ("a.mp4",)


def test_a_folder_of_pictures_says_how_to_have_them_assessed(work: Path):
    touch(work, "shots/1.jpg", "shots/2.png")
    with pytest.raises(NoVideosFoundError, match=r"2 pictures; name them, .*shots/\*\.jpg"):
        find_videos(["shots"])


def test_typescript_is_no_transport_stream(work: Path):
    touch(work, "src/app.ts", content=b"import x")
    touch(work, "src/video.ts", content=b"\x47\x40\x00")
    assert find_videos(["src"]).paths == ("src/video.ts",)


def test_a_named_file_is_taken_whatever_it_ends_in(work: Path):
    touch(work, "photo.jpg", "no_ending")
    assert find_videos(["photo.jpg", "no_ending"]).paths == ("photo.jpg", "no_ending")


def test_a_glob_takes_media_in_natural_order_and_leaves_the_rest(work: Path):
    touch(work, "v/b2.mp4", "v/b10.mp4", "v/b1.jpg", "v/readme.md")
    assert find_videos(["v/*"]).paths == ("v/b1.jpg", "v/b2.mp4", "v/b10.mp4")


def test_a_glob_with_an_ending_of_its_own_takes_that_ending(work: Path):
    touch(work, "v/raw1.dat", "v/raw2.dat")
    assert find_videos(["v/*.dat"]).paths == ("v/raw1.dat", "v/raw2.dat")


def test_two_stars_search_folders_at_any_depth(work: Path):
    touch(work, "a.mov", "x/b.mov", "x/y/c.mov")
    assert find_videos(["**/*.mov"]).paths == ("a.mov", "x/b.mov", "x/y/c.mov")


def test_a_file_with_brackets_in_its_name_is_no_pattern(work: Path):
    touch(work, "take[1].mp4", "take1.mp4")
    assert find_videos(["take[1].mp4"]).paths == ("take[1].mp4",)


def test_a_list_names_files_from_its_own_folder(work: Path):
    touch(work, "lists/a.mp4", "lists/sub/b.mp4")
    (work / "lists/all.txt").write_text("# mine\n\n a.mp4 \r\nsub\nlost.mp4\n", encoding="utf-8")
    found = find_videos(["@lists/all.txt"])
    assert found.paths == ("lists/a.mp4", "lists/sub/b.mp4")
    assert isinstance(found.entries[2], Failure)
    assert found.entries[2].video == "lists/lost.mp4"


def test_a_video_given_as_a_list_is_told_from_one(work: Path):
    touch(work, "a.mp4", content=b"\0\0\0\x20ftyp")
    with pytest.raises(InvalidInputError, match=r"not a text list.*leave out the '@'"):
        find_videos(["@a.mp4"])


def test_an_empty_list_is_an_error(work: Path):
    (work / "none.txt").write_text("# nothing yet\n", encoding="utf-8")
    with pytest.raises(NoVideosFoundError, match="names nothing"):
        find_videos(["@none.txt"])


def test_a_file_named_twice_is_kept_once_with_a_note(work: Path):
    touch(work, "d/a.mp4", "d/b.mp4")
    os.symlink("a.mp4", work / "d" / "link.mp4")
    found = find_videos(["d/b.mp4", "d", "./d/a.mp4"])
    assert found.paths == ("d/b.mp4", "d/a.mp4")
    assert found.notes == ("3 files are named more than once; each is assessed once",)


def test_a_missing_file_shows_the_nearest_names(work: Path):
    touch(work, "holiday.mp4", "other.mov")
    with pytest.raises(NoVideosFoundError, match=r"no file 'hoilday\.mp4'; did you mean 'holiday"):
        find_videos(["hoilday.mp4"])


def test_a_missing_folder_shows_the_nearest_folder(work: Path):
    touch(work, "videos/a.mp4")
    with pytest.raises(NoVideosFoundError, match=r"no folder 'video'; did you mean 'videos'\?"):
        find_videos(["video/a.mp4"])


def test_a_missing_name_among_others_is_a_failure_in_its_place(work: Path):
    touch(work, "a.mp4", "b.mp4")
    lost = find_videos(["a.mp4", "lost.mp4", "b.mp4"]).entries[1]
    assert lost == Failure("lost.mp4", "NoVideosFoundError", "there is no file 'lost.mp4'")


def test_nothing_found_lists_every_reason(work: Path):
    (work / "empty").mkdir()
    with pytest.raises(NoVideosFoundError, match=r"(?s)no file 'x\.mp4'.*folder 'empty'"):
        find_videos(["x.mp4", "empty"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("-", "standard input"),
        ("https://example.org/a.mp4", "download it first"),
        ("s3://bucket/a.mp4", "is a URL"),
        ("*.mp4", "matches no video"),
        ("/dev/null", "regular file"),
        ("a\0b.mp4", "no file"),
    ],
)
def test_what_cannot_be_read_is_explained(work: Path, argument: str, message: str):
    with pytest.raises(InvalidInputError, match=message):
        find_videos([argument])


def test_a_name_that_is_no_utf8_is_found(work: Path):
    name = os.fsdecode(b"caf\xe9.mp4")
    touch(work, name)
    assert find_videos(["."]).paths == (name,)


def test_one_video_is_one_video(work: Path):
    touch(work, "d/a.mp4", "d/b.mp4")
    assert find_one_video("d/a.mp4") == "d/a.mp4"
    with pytest.raises(InvalidInputError, match="names 2 videos, and one is wanted"):
        find_one_video("d")


def test_natural_order_mixes_numbers_and_words():
    names = ["b", "10", "9", "a10b2", "a10b10", "A2"]
    assert sorted(names, key=natural_key) == ["9", "10", "A2", "a10b2", "a10b10", "b"]
