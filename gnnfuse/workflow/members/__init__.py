"""Members of `fit`: several ways to learn from the same rows, and the blend of their answers."""
