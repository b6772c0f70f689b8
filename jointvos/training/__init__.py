"""Offline training (Sec. 3.6): data, unrolled mini-sequences, losses, the recipe."""
