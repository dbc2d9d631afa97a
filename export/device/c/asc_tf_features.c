/* The steps of asc_tf/features/log_mel.py in float32, one frame after the other; C99 and <math.h>.
 *
 * asc_tf_settings.h and asc_tf_tables.h hold what training fixed. What a setting switches off costs nothing: the
 * conditions are constants.
 */
#include "asc_tf_features.h"

#include <math.h>

#include "asc_tf_tables.h"

#define HALF_FFT (ASC_TF_FFT_SAMPLES / 2)
/* Pre-emphasis of the whole wave takes one sample. */
#define EMPHASISED (ASC_TF_PRE_EMPHASIS > 0 && !ASC_TF_FRAME_BY_FRAME)
#define LENGTH (ASC_TF_SAMPLES - EMPHASISED)
/* Deltas and the clip's maximum need all frames at once. */
#define ROWS (ASC_TF_WHOLE_CLIP ? ASC_TF_LEVEL_FRAMES : 1)

typedef struct { const float *full_scale_1; const int16_t *sixteen_bits; } Wave;
typedef struct { float *values; int8_t *steps; } Cells;

/* A windowed frame, then its spectrum (real and imaginary parts by turns), then its powers at the even places. */
static float frame[ASC_TF_FFT_SAMPLES + 1];
static float levels[ROWS][ASC_TF_BANDS];

static int within(int place, int least, int most) { return place < least ? least : place > most ? most : place; }

static float sample(Wave wave, int place) {
  return wave.full_scale_1 ? wave.full_scale_1[place] : wave.sixteen_bits[place] / 32768.0f;
}

static float edged(Wave wave, int place) {
  if (place < 0 || place >= LENGTH) {
    if (!ASC_TF_REFLECT) return 0.0f;
    place = place < 0 ? -place : 2 * (LENGTH - 1) - place;
  }
  if (!EMPHASISED) return sample(wave, place);
  return sample(wave, place + 1) - ASC_TF_PRE_EMPHASIS * sample(wave, place);
}

static void cut(Wave wave, int number) {
  float mean = 0.0f;
  int n;
  for (n = 0; n < ASC_TF_WINDOW_SAMPLES; n++)
    frame[n] = edged(wave, number * ASC_TF_HOP_SAMPLES - ASC_TF_EDGE_SAMPLES + n);
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

static void swap(int one, int other) {
  int part;
  for (part = 0; part < 2; part++) {
    float kept = frame[2 * one + part];
    frame[2 * one + part] = frame[2 * other + part];
    frame[2 * other + part] = kept;
  }
}

/* Complex FFT of HALF_FFT points in place, radix 2, decimation in time. */
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

/* |FFT|^2 of the real frame from the FFT of its even and odd samples, taken as one complex sequence. */
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
}

static void level_bands(Wave wave, int number, float *level) {
  const float *weight = weights;
  int band, bin;
  cut(wave, number);
  transform();
  power();
  for (band = 0; band < ASC_TF_BANDS; band++) {
    float energy = 0.0f;
    for (bin = 0; bin < band_bins[band]; bin++) energy += *weight++ * frame[2 * (first_bin[band] + bin)];
    if (ASC_TF_FLOOR_IS_ADDED) energy += ASC_TF_FLOOR;
    level[band] = ASC_TF_UNITS_PER_E * logf(energy > ASC_TF_FLOOR ? energy : ASC_TF_FLOOR);
  }
}

/* librosa.power_to_db's `top_db` and `ref`: nothing further below the clip's maximum, which may become 0. */
static void against_maximum(void) {
  float *cell = levels[0], *end = cell + ROWS * ASC_TF_BANDS, most = *cell, least;
  for (; cell < end; cell++) most = *cell > most ? *cell : most;
  least = ASC_TF_TOP_DB > 0 ? most - ASC_TF_TOP_DB : -INFINITY;
  for (cell = levels[0]; cell < end; cell++)
    *cell = (*cell > least ? *cell : least) - (ASC_TF_MAXIMUM_IS_0 ? most : 0.0f);
}

/* Of the frames cropped or filled up to a fixed number, before the deltas. */
static float level_at(int band, int number) {
  int source = number + ASC_TF_FIRST_FRAME;
  if (ASC_TF_ZEROS_FOLLOW && source >= ASC_TF_LEVEL_FRAMES) return 0.0f;
  return levels[ASC_TF_WHOLE_CLIP ? within(source, 0, ROWS - 1) : 0][band];
}

static float value(int band, int number, int channel) {
  int start = number, filter = 0, tap;
  float slope = 0.0f;
  if (!channel) return level_at(band, number + (ASC_TF_DELTA_FILTERS > 1 ? 0 : ASC_TF_DELTA_TAPS / 2));
  if (ASC_TF_DELTA_FILTERS > 1) {
    start = within(number - ASC_TF_DELTA_TAPS / 2, 0, ASC_TF_FRAMES - ASC_TF_DELTA_TAPS);
    filter = number - start; /* at the edges the slopes come from the first and last fitted parabola */
  }
  for (tap = 0; tap < ASC_TF_DELTA_TAPS; tap++) slope += delta[channel - 1][filter][tap] * level_at(band, start + tap);
  return slope;
}

static void put(Cells cells, int place, float normalised) {
  if (cells.values) {
    cells.values[place] = normalised;
  } else {
    float step = rintf(normalised / ASC_TF_INPUT_SCALE) + ASC_TF_INPUT_ZERO_POINT;
    cells.steps[place] = (int8_t)(step < -128.0f ? -128.0f : step > 127.0f ? 127.0f : step);
  }
}

static void features(Wave wave, Cells cells) {
  int number, band, channel, row;
  for (number = 0; ASC_TF_WHOLE_CLIP && number < ROWS; number++) level_bands(wave, number, levels[number]);
  if (ASC_TF_TOP_DB > 0 || ASC_TF_MAXIMUM_IS_0) against_maximum();
  for (number = 0; number < ASC_TF_FRAMES; number++) {
    int source = within(number + ASC_TF_FIRST_FRAME, 0, ASC_TF_LEVEL_FRAMES - 1);
    if (!ASC_TF_WHOLE_CLIP) level_bands(wave, source, levels[0]);
    for (band = 0; band < ASC_TF_BANDS; band++)
      for (channel = 0; channel < ASC_TF_CHANNELS; channel++) {
        row = ASC_TF_NORMALISED_CELLS > 1 ? band * ASC_TF_CHANNELS + channel : 0;
        put(cells, (band * ASC_TF_FRAMES + number) * ASC_TF_CHANNELS + channel,
            (value(band, number, channel) - cell_mean[row]) / cell_std[row]);
      }
  }
}

void asc_tf_features(const float *wave, float *spectrogram) {
  features((Wave){wave, 0}, (Cells){spectrogram, 0});
}

void asc_tf_features_int16(const int16_t *wave, float *spectrogram) {
  features((Wave){0, wave}, (Cells){spectrogram, 0});
}

void asc_tf_input(const float *wave, int8_t *input) { features((Wave){wave, 0}, (Cells){0, input}); }

void asc_tf_input_int16(const int16_t *wave, int8_t *input) { features((Wave){0, wave}, (Cells){0, input}); }
