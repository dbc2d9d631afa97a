/* Writes the outputs of the generated front end for the clips on stdin, or its tables, as bytes to stdout. */
#include <stdio.h>
#include <string.h>

#include "asc_tf_features.h"
#include "asc_tf_tables.h"

#define WRITE(table) fwrite(table, sizeof table, 1, stdout)

static float wave[ASC_TF_SAMPLES], spectrogram[ASC_TF_CELLS];
static int16_t wave_int16[ASC_TF_SAMPLES];
static int8_t input[ASC_TF_CELLS];

int main(int count, char **arguments) {
  const char *output = count > 1 ? arguments[1] : "";
  if (!strcmp(output, "tables")) {
    WRITE(window), WRITE(cosine), WRITE(first_bin), WRITE(band_bins), WRITE(weights), WRITE(delta);
    WRITE(cell_mean), WRITE(cell_std);
  } else if (!strcmp(output, "features")) {
    while (fread(wave, sizeof wave, 1, stdin)) asc_tf_features(wave, spectrogram), WRITE(spectrogram);
  } else if (!strcmp(output, "features_int16")) {
    while (fread(wave_int16, sizeof wave_int16, 1, stdin)) asc_tf_features_int16(wave_int16, spectrogram), WRITE(spectrogram);
  } else if (!strcmp(output, "input")) {
    while (fread(wave, sizeof wave, 1, stdin)) asc_tf_input(wave, input), WRITE(input);
  } else if (!strcmp(output, "input_int16")) {
    while (fread(wave_int16, sizeof wave_int16, 1, stdin)) asc_tf_input_int16(wave_int16, input), WRITE(input);
  } else {
    return 1;
  }
  return 0;
}
