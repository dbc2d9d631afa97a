// An example that classifies clips with TensorFlow Lite Micro; the application has to provide `record`.
//
// Build it with asc_tf_features.c, @NAME@_model.cc and the TensorFlow Lite Micro library.
#include "@NAME@_model.h"
#include "asc_tf_features.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

// Fills `wave` with one clip of ASC_TF_SAMPLES samples at ASC_TF_SAMPLE_RATE_HZ, one channel; false ends the program.
extern "C" bool record(int16_t* wave);

static_assert(@NAME@_model_digest == @DIGEST@ && ASC_TF_DIGEST == @DIGEST@, "the sources are of two exports");

namespace {
alignas(16) uint8_t arena[@NAME@_arena_bytes];
int16_t wave[ASC_TF_SAMPLES];
}  // namespace

int main() {
  tflite::InitializeTarget();
  tflite::MicroMutableOpResolver<@COUNT@> resolver;
@RESOLVER@
  tflite::MicroInterpreter interpreter(tflite::GetModel(@NAME@_model), resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;  // the arena is an estimate: enlarge it
  MicroPrintf("arena: %d bytes used", static_cast<int>(interpreter.arena_used_bytes()));
  while (record(wave)) {
    asc_tf_input_int16(wave, interpreter.input(0)->data.int8);
    if (interpreter.Invoke() != kTfLiteOk) return 1;
    const int8_t* logits = interpreter.output(0)->data.int8;
    int best = 0;
    for (int index = 1; index < @NAME@_classes; index++)
      if (logits[index] > logits[best]) best = index;
    MicroPrintf("%s", @NAME@_labels[best]);
  }
  return 0;
}
