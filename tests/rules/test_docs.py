import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import finevq
from conftest import ROOT, skip_or_fail
from finevq.cli.main import app
from finevq.cli.reference import reference_markdown, with_reference

CLI_PAGE = ROOT / "docs" / "cli.md"


def pages() -> Iterator[Path]:
    yield from sorted(ROOT.glob("*.md"))
    yield from sorted((ROOT / "docs").glob("**/*.md"))


def test_the_reference_of_commands_is_up_to_date():
    page = CLI_PAGE.read_text(encoding="utf-8")
    fresh = with_reference(page, reference_markdown(app))
    assert page == fresh, "run: python -m finevq.cli.reference docs/cli.md"


def test_every_option_has_a_help_text():
    for line in reference_markdown(app).splitlines():
        if line.startswith("| `"):
            assert re.search(r"\| [^|]{4,}\|$", line), line


def test_every_error_is_explained():
    errors = import_module("finevq.errors")
    page = CLI_PAGE.read_text(encoding="utf-8")
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.FineVQError):
            assert f"`{name}`" in page, name


def test_every_command_is_in_some_page():
    names = re.findall(r"^### (finevq .+)$", reference_markdown(app), re.MULTILINE)
    assert len(names) >= 3
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    for name in names:
        assert name in text


def test_links_between_pages_lead_somewhere():
    for page in pages():
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_version_is_the_newest_of_the_changelog():
    changelog = ROOT / "CHANGELOG.md"
    if not changelog.is_file():
        skip_or_fail("there is no CHANGELOG.md yet")
    versions = re.findall(r"^## \[?([0-9][^\]\s]*)", changelog.read_text(), re.MULTILINE)
    assert versions[0] == finevq.__version__
