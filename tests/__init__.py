"""A package, so that no other package named tests can stand in its place."""
