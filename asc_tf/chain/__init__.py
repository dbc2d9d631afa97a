"""Everything that a recipe needs, in order: initial weights, teachers, network, int8 file, evaluation."""
