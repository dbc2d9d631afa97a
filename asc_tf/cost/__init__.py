"""Parameters, multiply-accumulate operations (MACs) and activation memory of networks; one file a counting rule."""
