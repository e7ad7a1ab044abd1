"""`python -m finevq`: the same as the command `finevq`."""

from finevq.cli.main import run

run()
