"""Evaluation that nobody can fool: metrics, protocols, floors and the paper's tables.

Scorers come as arguments (`finevq.scorer.Scorer`); nothing here knows a model. Needs the
`evaluation` extra (scipy, scikit-learn, matplotlib), imported where it is used.
"""
