"""Build a FineVD of one's own: define, run and analyse a subjective study, and make QA pairs of it.

The pure parts (votes, screening, mos, agreement, ordering, qa) need numpy only; the server and its
database need the extra `study`.
"""
