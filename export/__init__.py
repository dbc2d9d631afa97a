"""Quantisation and device files of trained runs.  Quantisation-aware training, int8 TFLite, parity.

asc_tf/export is a link to this folder: an installed asc_tf brings it as asc_tf.export, by which it is imported
everywhere, and no package of its own whose name another one in the working folder could have.
"""
