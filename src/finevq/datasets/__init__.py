"""Data sets, real and synthesized, behind one contract."""
