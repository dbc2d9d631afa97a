// An example that classifies sound with TensorFlow Lite Micro, window by window; the application has to provide `record`.
//
// Build it with asc_tf_features.c, asc_tf_stream.c, @NAME@_model.cc and the TensorFlow Lite Micro library.
#include "@NAME@_model.h"
#include "asc_tf_stream.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

// Waits for sound at ASC_TF_SAMPLE_RATE_HZ, one channel; writes at most `most` samples and returns their number, 0 to
// end the program. What is recorded while the network runs has to wait in a buffer of its own.
extern "C" size_t record(int16_t* samples, size_t most);

static_assert(@NAME@_model_digest == @DIGEST@ && ASC_TF_DIGEST == @DIGEST@, "the sources are of two exports");

namespace {
constexpr uint32_t hop_samples = ASC_TF_SAMPLES;  // between the starts of windows; fewer for windows that overlap
alignas(16) uint8_t arena[@NAME@_arena_bytes];
asc_tf_stream stream;
int16_t block[ASC_TF_SAMPLE_RATE_HZ / 50];

const int8_t* run(void* context) {
  auto* interpreter = static_cast<tflite::MicroInterpreter*>(context);
  return interpreter->Invoke() == kTfLiteOk ? interpreter->output(0)->data.int8 : nullptr;
}
}  // namespace

int main() {
  tflite::InitializeTarget();
  tflite::MicroMutableOpResolver<@COUNT@> resolver;
@RESOLVER@
  tflite::MicroInterpreter interpreter(tflite::GetModel(@NAME@_model), resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;  // the arena is an estimate: enlarge it
  MicroPrintf("arena: %d bytes used", static_cast<int>(interpreter.arena_used_bytes()));
  const asc_tf_network network = {interpreter.input(0)->data.int8, run, &interpreter};
  if (asc_tf_stream_begin(&stream, network, hop_samples) < 0) return 1;
  while (const size_t count = record(block, sizeof(block) / sizeof(*block))) {
    size_t taken;
    for (size_t start = 0; start < count; start += taken) {
      asc_tf_decision decision;
      const asc_tf_status status = asc_tf_stream_feed(&stream, block + start, count - start, &taken, &decision);
      if (status < 0) return 1;
      if (status == ASC_TF_DECISION) MicroPrintf("%s", @NAME@_labels[decision.best]);
    }
  }
  return 0;
}
