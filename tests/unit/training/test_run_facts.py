import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import finevq
from builders.training import rating_records
from finevq.training.run_facts import code_commit, data_facts, write_run_facts
from finevq.vocabulary import Dimension


def test_data_is_counted_and_named_by_its_content():
    records = rating_records(3)
    facts = data_facts(records)
    assert (facts["records"], facts["videos"], facts["sources"]) == (6, 3, 3)
    assert facts["tasks"] == {"rating": 6}
    assert data_facts(records[::-1])["hash"] == facts["hash"]
    moved = [replace(record, video=Path("/elsewhere") / record.video) for record in records]
    assert data_facts(moved)["hash"] == facts["hash"]
    relabelled = [replace(records[0], scores={Dimension.OVERALL: 11.0}), *records[1:]]
    assert data_facts(relabelled)["hash"] != facts["hash"]


def test_a_run_writes_down_what_it_was_made_of(tmp_path: Path):
    records = rating_records(2)
    facts = write_run_facts({"train": records, "validation": records[:2]}, tmp_path)
    assert json.loads((tmp_path / "run.json").read_text()) == facts
    assert facts["code"]["finevq"] == finevq.__version__
    assert facts["data"]["validation"]["records"] == 2


def test_the_commit_is_that_of_this_package_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *identity, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    package = tmp_path / "site" / "finevq"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(finevq, "__file__", str(package / "__init__.py"))
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "somebody else's")
    assert code_commit() is None
    git("add", ".")
    git("commit", "--quiet", "-m", "ours")
    assert code_commit() == git("rev-parse", "HEAD")
    (package / "__init__.py").write_text("changed = 1")
    assert code_commit() == git("rev-parse", "HEAD") + "+"
