"""Faults of video, one file a dimension, each a parametric, seeded transformation of frames."""
