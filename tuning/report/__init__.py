"""Results of a search: table, page with pictures, recipes of the best trials."""
