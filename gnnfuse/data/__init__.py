"""Data sets: the default task, which works offline, and loaders for real data in a folder."""
