"""Files that exports are made of: what the harnesses read and run."""
