import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

import finevq

HEAVY = {
    *("torch", "transformers", "onnxruntime", "av", "numpy", "scipy", "sklearn", "skimage", "cv2"),
    *("jinja2", "rich", "typer", "pyarrow", "matplotlib", "tokenizers", "huggingface_hub"),
}
CORE_WITHOUT = {"torch", "transformers", "peft", "scipy", "sklearn", "matplotlib", "pyarrow", "cv2"}
"""What the light core does not bring: nothing that `finevq` imports at the top may need it."""


def imported_by(statement: str) -> set[str]:
    """Return the top-level packages that a fresh process has imported after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_public_names_are_sorted_and_exist():
    assert finevq.__all__ == sorted(finevq.__all__)
    for name in finevq.__all__:
        assert getattr(finevq, name) is not None
    assert dir(finevq) == finevq.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'finevq' has no attribute 'nothing'"):
        _ = finevq.nothing


def test_importing_finevq_imports_nothing_heavy():
    assert imported_by("import finevq") & HEAVY == set()


@pytest.mark.full
def test_the_command_line_starts_without_the_model_and_the_video_libraries():
    imported = imported_by("import finevq.cli.main")
    assert imported & {"torch", "transformers", "onnxruntime", "av", "jinja2", "pyarrow"} == set()


@pytest.mark.full
def test_assessing_needs_the_light_core_only():
    statement = (
        "import finevq\n"
        "from finevq.inference import batching, catalogue, inputs, loading, session\n"
        "from finevq.report import page, result_files, table"
    )
    assert imported_by(statement) & CORE_WITHOUT == set()


def test_no_module_is_a_bag_of_leftovers():
    names = {module.name.rpartition(".")[2] for module in walk_packages(finevq.__path__, "finevq.")}
    assert names & {"utils", "common", "helpers", "misc"} == set()


def test_the_whole_tree_of_errors_is_drawn():
    errors = import_module("finevq.errors")
    drawn = errors.__doc__ or ""
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.FineVQError):
            assert f"{name} " in drawn, name
            assert str(value.http_status) in drawn
