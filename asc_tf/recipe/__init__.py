"""Recipes: TOML files, checked and resolved."""
