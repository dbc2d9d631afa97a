// Declarations of TensorFlow Lite Micro that main.cc uses, to compile it. Nothing here runs.
#pragma once
#include <cstddef>
#include <cstdint>

enum TfLiteStatus { kTfLiteOk, kTfLiteError };
struct TfLiteTensor {
  struct { int8_t* int8; } data;
};
void MicroPrintf(const char* format, ...);

namespace tflite {
struct Model;
const Model* GetModel(const void* bytes);
void InitializeTarget();
template <unsigned int count>
struct MicroMutableOpResolver {
  TfLiteStatus AddAdd(), AddAveragePool2D(), AddConv2D(), AddDepthwiseConv2D(), AddMean(), AddPad();
};
struct MicroInterpreter {
  template <typename Resolver>
  MicroInterpreter(const Model*, const Resolver&, uint8_t* arena, size_t bytes);
  TfLiteStatus AllocateTensors(), Invoke();
  TfLiteTensor *input(size_t), *output(size_t);
  size_t arena_used_bytes() const;
};
}  // namespace tflite
