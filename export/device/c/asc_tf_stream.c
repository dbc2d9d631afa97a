/* Decisions of the network on a stream of samples; see asc_tf_stream.h. C99. */
#include "asc_tf_stream.h"

#include <string.h>

static void put(asc_tf_stream *stream, int16_t sample) {
  stream->ring[stream->next] = sample;
  stream->next = (stream->next + 1) % ASC_TF_RING_SAMPLES;
  stream->missing--;
}

/* The decision on the full window; the stream then waits for the next one. */
static asc_tf_status decide(asc_tf_stream *stream, asc_tf_decision *decision) {
  int index, best = 0;
  const int8_t *logits;
  asc_tf_input_ring(stream->ring, (int)stream->next, stream->network.input);
  logits = stream->network.run(stream->network.context);
  decision->start = stream->start;
  stream->start += stream->hop;
  stream->missing = stream->hop;
  if (!logits) return ASC_TF_NETWORK_FAILED;
  for (index = 1; index < ASC_TF_CLASSES; index++)
    if (logits[index] > logits[best]) best = index;
  decision->best = best;
  decision->logits = logits;
  return ASC_TF_DECISION;
}

asc_tf_status asc_tf_stream_begin(asc_tf_stream *stream, asc_tf_network network, uint32_t hop_samples) {
  if (!stream) return ASC_TF_NULL_POINTER;
  memset(stream, 0, sizeof *stream);
  if (!network.input || !network.run) return ASC_TF_NULL_POINTER;
  if (!hop_samples) return ASC_TF_NO_HOP;
  stream->network = network;
  stream->hop = hop_samples;
  stream->missing = ASC_TF_SAMPLES;
  return ASC_TF_NO_DECISION;
}

asc_tf_status asc_tf_stream_feed(asc_tf_stream *stream, const int16_t *samples, size_t count, size_t *taken,
                                 asc_tf_decision *decision) {
  if (!stream || !taken || !decision || (count && !samples)) return ASC_TF_NULL_POINTER;
  *taken = 0;
  if (!stream->hop) return ASC_TF_NOT_BEGUN;
  if (stream->ended) return ASC_TF_ENDED;
  while (*taken < count && stream->missing) put(stream, samples[(*taken)++]);
  return stream->missing ? ASC_TF_NO_DECISION : decide(stream, decision);
}

asc_tf_status asc_tf_stream_end(asc_tf_stream *stream, asc_tf_decision *decision) {
  int64_t sound;
  if (!stream || !decision) return ASC_TF_NULL_POINTER;
  if (!stream->hop) return ASC_TF_NOT_BEGUN;
  stream->ended = 1;
  sound = (int64_t)ASC_TF_SAMPLES - stream->missing - stream->zeros; /* in the next window */
  if (sound <= 0 || (stream->start && 2 * sound < ASC_TF_SAMPLES)) return ASC_TF_NO_DECISION;
  for (; stream->missing; stream->zeros++) put(stream, 0);
  return decide(stream, decision);
}
