/* Feeds chunks of samples from stdin, each after its length, to a stream; writes every decision and its input.
 *
 * The network is made up: logit k is the sum of every ASC_TF_CLASSES-th value of the input from k on, modulo 256.
 */
#include <stdio.h>
#include <stdlib.h>

#include "asc_tf_stream.h"

#define WRITE(value) fwrite(&(value), sizeof(value), 1, stdout)

static int8_t input[ASC_TF_CELLS], logits[ASC_TF_CLASSES];

static const int8_t *run(void *context) {
  int cell;
  uint8_t sums[ASC_TF_CLASSES] = {0};
  for (cell = 0; cell < ASC_TF_CELLS; cell++) sums[cell % ASC_TF_CLASSES] += (uint8_t)input[cell];
  for (cell = 0; cell < ASC_TF_CLASSES; cell++) logits[cell] = (int8_t)(sums[cell] - 128);
  ++*(int *)context;
  return logits;
}

static void write_decision(const asc_tf_decision *decision) {
  int64_t numbers[2];
  numbers[0] = (int64_t)decision->start;
  numbers[1] = decision->best;
  WRITE(numbers), WRITE(input);
}

int main(int count, char **arguments) {
  static int runs;
  asc_tf_network network = {input, run, &runs};
  /* From malloc, as are the chunks, so that the sanitizers find what reads beyond them. */
  asc_tf_stream *stream = malloc(sizeof *stream);
  asc_tf_decision decision;
  asc_tf_status status;
  int decisions = 0;
  uint32_t length;
  if (count < 2 || asc_tf_stream_begin(stream, network, (uint32_t)atoi(arguments[1]))) return 1;
  while (fread(&length, sizeof length, 1, stdin)) {
    int16_t *chunk = malloc(length * sizeof *chunk + !length);
    size_t start = 0, taken;
    if (fread(chunk, sizeof *chunk, length, stdin) != length) return 1;
    do {
      status = asc_tf_stream_feed(stream, chunk + start, length - start, &taken, &decision);
      if (status < 0) return 1;
      if (status == ASC_TF_DECISION) write_decision(&decision), decisions++;
    } while ((start += taken) < length);
    free(chunk);
  }
  while ((status = asc_tf_stream_end(stream, &decision)) == ASC_TF_DECISION) write_decision(&decision), decisions++;
  free(stream);
  return status || decisions != runs;
}
