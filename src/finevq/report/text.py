"""File names as text that every format can hold: nothing unprintable, nothing undecodable."""

import unicodedata

_JOINERS = "\u200c\u200d"  # invisible too, but parts of Persian words and of emoji
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def portable_text(text: str) -> str:
    r"""Return text that encodes as UTF-8; bytes of a name that are no UTF-8 become `\xNN`.

    >>> portable_text("caf\udce9.mp4")
    'caf\\xe9.mp4'
    """
    raw = text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def printable_text(text: str) -> str:
    r"""Return text for a terminal or page: one line, no control or direction characters.

    A name cannot move the cursor, color the screen or turn the reading direction.

    >>> printable_text("a\nb\x1b[31m.mp4")
    'a\\nb\\x1b[31m.mp4'
    """
    return "".join(
        character if _is_harmless(character) else character.encode("unicode_escape").decode("ascii")
        for character in portable_text(text)
    )


def spreadsheet_text(text: str) -> str:
    """Return text for a CSV cell that no spreadsheet takes for a formula.

    What begins with =, +, -, @, a tab or a line break gets an apostrophe in front, and so does what
    would then look like it, so that no two texts become one.

    >>> spreadsheet_text("=1+1.mp4"), spreadsheet_text("a=1.mp4"), spreadsheet_text("'@x")
    ("'=1+1.mp4", 'a=1.mp4', "''@x")
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA_STARTS) else text


def text_of_cell(cell: str) -> str:
    """Return the text that `spreadsheet_text` made the cell of.

    >>> text_of_cell("'=1+1.mp4"), text_of_cell("'quoted'")
    ('=1+1.mp4', "'quoted'")
    """
    return cell[1:] if cell[:1] == "'" and spreadsheet_text(cell) != cell else cell


def _is_harmless(character: str) -> bool:
    is_space = unicodedata.category(character) == "Zs"  # screenshots of macOS have one in the time
    return character.isprintable() or is_space or character in _JOINERS


def _is_escaped(text: str) -> bool:
    """Tell whether every lone surrogate stands for a byte, as in names from the file system."""
    return all(
        "\udc80" <= character <= "\udcff"
        for character in text
        if unicodedata.category(character) == "Cs"
    )
