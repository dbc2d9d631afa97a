/* The front end of the network: from a wave to the network's input.
 *
 * wave:         ASC_TF_SAMPLES samples at ASC_TF_SAMPLE_RATE_HZ, one channel; float has full scale 1.
 * spectrogram:  ASC_TF_CELLS floats (bands, frames, channels), channels last, normalised as in training.
 * input:        the same, quantised as the network's int8 input.
 * ring:         a wave whose first sample is at index `first`; what follows the last index is at index 0.
 * Nothing is allocated. The scratch is static: the functions are not reentrant.
 */
#ifndef ASC_TF_FEATURES_H_
#define ASC_TF_FEATURES_H_

#include <stdint.h>

#include "asc_tf_settings.h"

#define ASC_TF_CELLS (ASC_TF_BANDS * ASC_TF_FRAMES * ASC_TF_CHANNELS)

#ifdef __cplusplus
extern "C" {
#endif

void asc_tf_features(const float *wave, float *spectrogram);
void asc_tf_features_int16(const int16_t *wave, float *spectrogram);
void asc_tf_input(const float *wave, int8_t *input);
void asc_tf_input_int16(const int16_t *wave, int8_t *input);
void asc_tf_input_ring(const int16_t *ring, int first, int8_t *input);

#ifdef __cplusplus
}
#endif

#endif
