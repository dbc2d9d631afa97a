"""Which networks can a recipe name?  One file a family; a file's name is its name in a recipe."""
