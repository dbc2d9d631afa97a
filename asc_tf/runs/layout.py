"""Where in a run folder is everything that quantisation and export make of it?"""

STATE = "quantise/state.npz"  # of quantisation-aware training, after every epoch
LOG = "quantise/log.csv"
RECIPE = "quantise/recipe.toml"  # where it is not the run's own that the int8 file is made by
CLIPS = "export/calibration.csv"
INT8 = "export/model.tflite"
FLOAT16 = "export/model_float16.tflite"
WAVE = "export/wave_to_scene.tflite"
CARD = "export/model.json"
PARITY, PARITY_TABLE, PARITY_PLOT = "export/parity.json", "export/parity.txt", "export/parity.png"

# What is of the int8 file and goes when another is made.
OF_INT8 = (STATE, LOG, RECIPE, CLIPS, INT8, WAVE, CARD, PARITY, PARITY_TABLE, PARITY_PLOT)
