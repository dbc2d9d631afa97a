/* Log-mel spectrogram in float32, by the steps of asc_tf/features/log_mel.py, frame by frame; C99 and <math.h>.
 *
 * asc_tf_settings.h and asc_tf_tables.h hold the settings and constants of the trained front end. Conditions on
 * settings are constants, so that the compiler drops the code that a setting switches off.
 */
#include "asc_tf_features.h"

#include <math.h>

#include "asc_tf_tables.h"

#define HALF_FFT (ASC_TF_FFT_SAMPLES / 2)
/* Pre-emphasis of the whole wave shortens it by one sample. */
#define EMPHASISED (ASC_TF_PRE_EMPHASIS > 0 && !ASC_TF_FRAME_BY_FRAME)
#define LENGTH (ASC_TF_SAMPLES - EMPHASISED)
/* Frames in memory: all where deltas or the clip's maximum need them, else one. */
#define ROWS (ASC_TF_WHOLE_CLIP ? ASC_TF_LEVEL_FRAMES : 1)

/* One pointer of each is set, the other is 0. Samples of 16 bits may be a ring, whose first one is at index `first`. */
typedef struct { const float *float_samples; const int16_t *int16_samples; int first; } Wave;
typedef struct { float *float_values; int8_t *int8_values; } Output;

/* A windowed frame, then its spectrum (real and imaginary parts interleaved), then its powers or magnitudes at the even
 * indices. */
static float frame[ASC_TF_FFT_SAMPLES + 1];
static float levels[ROWS][ASC_TF_BANDS];

static int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

static float sample(Wave wave, int index) {
  if (wave.float_samples) return wave.float_samples[index];
  index += wave.first;
  return wave.int16_samples[index < ASC_TF_SAMPLES ? index : index - ASC_TF_SAMPLES] / 32768.0f;
}

/* A sample after pre-emphasis of the whole wave; beyond its ends reflected or zero. */
static float padded_sample(Wave wave, int index) {
  if (index < 0 || index >= LENGTH) {
    if (!ASC_TF_REFLECT) return 0.0f;
    index = index < 0 ? -index : 2 * (LENGTH - 1) - index;
  }
  if (!EMPHASISED) return sample(wave, index);
  return sample(wave, index + 1) - ASC_TF_PRE_EMPHASIS * sample(wave, index);
}

/* Fills `frame` with a windowed frame of the wave, padded with zeros to the length of the FFT. */
static void load_frame(Wave wave, int frame_index) {
  float mean = 0.0f;
  int n;
  for (n = 0; n < ASC_TF_WINDOW_SAMPLES; n++)
    frame[n] = padded_sample(wave, frame_index * ASC_TF_HOP_SAMPLES - ASC_TF_EDGE_SAMPLES + n);
  if (ASC_TF_FRAME_BY_FRAME) {
    for (n = 0; n < ASC_TF_WINDOW_SAMPLES; n++) mean += frame[n] / ASC_TF_WINDOW_SAMPLES;
    for (n = 0; n < ASC_TF_WINDOW_SAMPLES; n++) frame[n] -= mean;
    for (n = ASC_TF_WINDOW_SAMPLES - 1; n >= 0; n--) frame[n] -= ASC_TF_PRE_EMPHASIS * frame[n ? n - 1 : 0];
  }
  for (n = 0; n < ASC_TF_FFT_SAMPLES; n++) frame[n] = n < ASC_TF_WINDOW_SAMPLES ? frame[n] * window[n] : 0.0f;
}

/* cos and sin of 2 pi k / ASC_TF_FFT_SAMPLES, k from 0 to HALF_FFT. */
static float cosine_of(int k) { return cosine[k]; }
static float sine_of(int k) { return cosine[k < HALF_FFT / 2 ? HALF_FFT / 2 - k : k - HALF_FFT / 2]; }

/* Swaps two complex values of `frame`. */
static void swap(int first, int second) {
  int part;
  for (part = 0; part < 2; part++) {
    float saved = frame[2 * first + part];
    frame[2 * first + part] = frame[2 * second + part];
    frame[2 * second + part] = saved;
  }
}

/* In-place complex FFT of HALF_FFT points, radix 2, decimation in time. */
static void transform(void) {
  int n, reversed = 0, size, start, k;
  for (n = 0; n < HALF_FFT; n++) {
    int bit = HALF_FFT >> 1;
    if (n < reversed) swap(n, reversed);
    for (; bit && (reversed & bit); bit >>= 1) reversed ^= bit;
    reversed |= bit;
  }
  for (size = 2; size <= HALF_FFT; size *= 2)
    for (k = 0; k < size / 2; k++) {
      float c = cosine_of(k * (ASC_TF_FFT_SAMPLES / size)), s = sine_of(k * (ASC_TF_FFT_SAMPLES / size));
      for (start = k; start < HALF_FFT; start += size) {
        float *upper = frame + 2 * start, *lower = upper + size;
        float real = lower[0] * c + lower[1] * s, imaginary = lower[1] * c - lower[0] * s;
        lower[0] = upper[0] - real;
        lower[1] = upper[1] - imaginary;
        upper[0] += real;
        upper[1] += imaginary;
      }
    }
}

/* |FFT|^2, or |FFT|, of the real frame from the FFT of its even and odd samples, taken as one complex sequence. */
static void power(void) {
  int k;
  float first = frame[0] + frame[1], last = frame[0] - frame[1];
  for (k = 1; k <= HALF_FFT / 2; k++) {
    float *a = frame + 2 * k, *b = frame + 2 * (HALF_FFT - k);
    float even_real = (a[0] + b[0]) / 2, even_imaginary = (a[1] - b[1]) / 2;
    float odd_real = (a[1] + b[1]) / 2, odd_imaginary = (b[0] - a[0]) / 2;
    float real = cosine_of(k) * odd_real + sine_of(k) * odd_imaginary;
    float imaginary = cosine_of(k) * odd_imaginary - sine_of(k) * odd_real;
    float sum_real = even_real + real, sum_imaginary = even_imaginary + imaginary;
    float difference_real = even_real - real, difference_imaginary = even_imaginary - imaginary;
    a[0] = sum_real * sum_real + sum_imaginary * sum_imaginary;
    b[0] = difference_real * difference_real + difference_imaginary * difference_imaginary;
  }
  frame[0] = first * first;
  frame[ASC_TF_FFT_SAMPLES] = last * last;
  for (k = 0; ASC_TF_MAGNITUDE && k <= HALF_FFT; k++) frame[2 * k] = sqrtf(frame[2 * k]);
}

/* Log-mel levels of a frame, ASC_TF_BANDS values. */
static void level_bands(Wave wave, int frame_index, float *level) {
  const float *weight = weights;
  int band, bin;
  load_frame(wave, frame_index);
  transform();
  power();
  for (band = 0; band < ASC_TF_BANDS; band++) {
    float energy = 0.0f;
    for (bin = 0; bin < band_bins[band]; bin++) energy += *weight++ * frame[2 * (first_bin[band] + bin)];
    if (ASC_TF_FLOOR_IS_ADDED) energy += ASC_TF_FLOOR;
    level[band] = ASC_TF_UNITS_PER_E * logf(energy > ASC_TF_FLOOR ? energy : ASC_TF_FLOOR);
  }
}

/* librosa.power_to_db's `top_db` and `ref`: limits the range below the clip's maximum, and may subtract that. */
static void against_maximum(void) {
  float *cell = levels[0], *end = cell + ROWS * ASC_TF_BANDS, highest = *cell, lowest;
  for (; cell < end; cell++) highest = *cell > highest ? *cell : highest;
  lowest = ASC_TF_TOP_DB > 0 ? highest - ASC_TF_TOP_DB : -INFINITY;
  for (cell = levels[0]; cell < end; cell++)
    *cell = (*cell > lowest ? *cell : lowest) - (ASC_TF_MAXIMUM_IS_0 ? highest : 0.0f);
}

/* A level of the frames cropped or padded to a fixed number, before the deltas. */
static float level_at(int band, int frame_index) {
  int source = frame_index + ASC_TF_FIRST_FRAME;
  if (ASC_TF_ZEROS_FOLLOW && source >= ASC_TF_LEVEL_FRAMES) return 0.0f;
  return levels[ASC_TF_WHOLE_CLIP ? clamp(source, 0, ROWS - 1) : 0][band];
}

/* A value of the spectrogram before normalisation; channels 1 and 2 are the deltas. */
static float value(int band, int frame_index, int channel) {
  int start = frame_index, filter = 0, tap;
  float slope = 0.0f;
  if (!channel) return level_at(band, frame_index + (ASC_TF_DELTA_FILTERS > 1 ? 0 : ASC_TF_DELTA_TAPS / 2));
  if (ASC_TF_DELTA_FILTERS > 1) {
    start = clamp(frame_index - ASC_TF_DELTA_TAPS / 2, 0, ASC_TF_FRAMES - ASC_TF_DELTA_TAPS);
    filter = frame_index - start; /* at the edges the slopes are those of the first or last fitted parabola */
  }
  for (tap = 0; tap < ASC_TF_DELTA_TAPS; tap++) slope += delta[channel - 1][filter][tap] * level_at(band, start + tap);
  return slope;
}

/* Writes a normalised value, quantised where the output is int8. */
static void write_value(Output output, int index, float normalised) {
  if (output.float_values) {
    output.float_values[index] = normalised;
  } else {
    float quantised = rintf(normalised / ASC_TF_INPUT_SCALE) + ASC_TF_INPUT_ZERO_POINT;
    output.int8_values[index] = (int8_t)(quantised < -128.0f ? -128.0f : quantised > 127.0f ? 127.0f : quantised);
  }
}

static void features(Wave wave, Output output) {
  int frame_index, band, channel, cell;
  for (frame_index = 0; ASC_TF_WHOLE_CLIP && frame_index < ROWS; frame_index++)
    level_bands(wave, frame_index, levels[frame_index]);
  if (ASC_TF_TOP_DB > 0 || ASC_TF_MAXIMUM_IS_0) against_maximum();
  for (frame_index = 0; frame_index < ASC_TF_FRAMES; frame_index++) {
    int source = clamp(frame_index + ASC_TF_FIRST_FRAME, 0, ASC_TF_LEVEL_FRAMES - 1);
    if (!ASC_TF_WHOLE_CLIP) level_bands(wave, source, levels[0]);
    for (band = 0; band < ASC_TF_BANDS; band++)
      for (channel = 0; channel < ASC_TF_CHANNELS; channel++) {
        cell = ASC_TF_NORMALISED_CELLS > 1 ? band * ASC_TF_CHANNELS + channel : 0;
        write_value(output, (band * ASC_TF_FRAMES + frame_index) * ASC_TF_CHANNELS + channel,
                    (value(band, frame_index, channel) - cell_mean[cell]) / cell_std[cell]);
      }
  }
}

void asc_tf_features(const float *wave, float *spectrogram) {
  features((Wave){wave, 0, 0}, (Output){spectrogram, 0});
}

void asc_tf_features_int16(const int16_t *wave, float *spectrogram) {
  features((Wave){0, wave, 0}, (Output){spectrogram, 0});
}

void asc_tf_input(const float *wave, int8_t *input) { features((Wave){wave, 0, 0}, (Output){0, input}); }

void asc_tf_input_int16(const int16_t *wave, int8_t *input) { features((Wave){0, wave, 0}, (Output){0, input}); }

void asc_tf_input_ring(const int16_t *ring, int first, int8_t *input) {
  features((Wave){0, ring, first}, (Output){0, input});
}
