"""Search over settings of a recipe, under limits of size.

asc_tf/tuning is a link to this folder, as asc_tf/export is to export: an installed asc_tf brings it as asc_tf.tuning.
"""
