/* Decisions of the network on a stream of samples, window by window.
 *
 * Feed any number of samples; when they fill a window of ASC_TF_SAMPLES, the front end and the network run, and the
 * decision is that of the same window of a whole recording, to the bit. Windows start every `hop_samples`: fewer than
 * ASC_TF_SAMPLES for windows that overlap, more for gaps between them.
 * Nothing is allocated: a stream holds one window, ASC_TF_RING_BYTES. Do not call these functions from an interrupt:
 * the network runs inside, and what is recorded meanwhile must wait in a buffer of the application.
 */
#ifndef ASC_TF_STREAM_H_
#define ASC_TF_STREAM_H_

#include <stddef.h>
#include <stdint.h>

#include "asc_tf_features.h"

#define ASC_TF_RING_SAMPLES ASC_TF_SAMPLES
#define ASC_TF_RING_BYTES (2 * ASC_TF_RING_SAMPLES)

#ifdef __cplusplus
extern "C" {
#endif

/* What the functions return; errors are below 0. */
typedef enum {
  ASC_TF_NO_DECISION = 0, /* no window is full; all samples are taken */
  ASC_TF_DECISION = 1,    /* `decision` is that of a new window; feed the samples that are not taken */
  ASC_TF_NULL_POINTER = -1,
  ASC_TF_NO_HOP = -2,         /* hop_samples is 0 */
  ASC_TF_NOT_BEGUN = -3,      /* a stream of zeros: asc_tf_stream_begin was not called or failed */
  ASC_TF_ENDED = -4,          /* samples after the end: begin anew */
  ASC_TF_NETWORK_FAILED = -5, /* `run` returned 0; the window is passed over and the stream goes on */
} asc_tf_status;

typedef struct {
  int8_t *input;                       /* ASC_TF_CELLS values, written before each run */
  const int8_t *(*run)(void *context); /* runs the network; its ASC_TF_CLASSES logits, or 0 where it failed */
  void *context;                       /* given to `run` */
} asc_tf_network;

typedef struct {
  uint64_t start;       /* first sample of the window, counted from the begin of the stream */
  int best;             /* the class of the highest logit, of equal ones the first */
  const int8_t *logits; /* those that `run` returned */
} asc_tf_decision;

/* Its fields are for asc_tf_stream.c alone. */
typedef struct {
  int16_t ring[ASC_TF_RING_SAMPLES];
  uint32_t next;    /* index of the next sample, which is that of the oldest one of a full window */
  uint32_t hop;
  uint32_t missing; /* samples until the next window is full */
  uint32_t zeros;   /* samples after the end of the sound */
  int ended;
  uint64_t start; /* of the next window */
  asc_tf_network network;
} asc_tf_stream;

/* Begins a stream, also one that was used before. Returns ASC_TF_NO_DECISION or an error. */
asc_tf_status asc_tf_stream_begin(asc_tf_stream *stream, asc_tf_network network, uint32_t hop_samples);

/* Takes samples, full scale 32768, up to the end of the next window; `taken` is how many of `count`. */
asc_tf_status asc_tf_stream_feed(asc_tf_stream *stream, const int16_t *samples, size_t count, size_t *taken,
                                 asc_tf_decision *decision);

/* Ends the sound: decides on a last window of which at least half is sound, and on the first in any case, with zeros
 * for the rest. Where windows overlap there may be several: call it until it returns ASC_TF_NO_DECISION. */
asc_tf_status asc_tf_stream_end(asc_tf_stream *stream, asc_tf_decision *decision);

#ifdef __cplusplus
}
#endif

#endif
