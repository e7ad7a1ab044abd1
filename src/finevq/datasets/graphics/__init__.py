"""Drawn pictures without any fault: what photographs do not show of what people upload.

Cartoons, screens, motion graphics and rendered worlds, drawn by this code alone, so they are free
of anybody's rights and as many as wanted. Each is flawless by construction: whatever degrades it
is known. They are sources of synthesis (docs/synthesis.md), not works of art.
"""
