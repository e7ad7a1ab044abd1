"""Loaded models that answer: sessions, engines, batches."""
