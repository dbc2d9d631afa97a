// Writes the bytes of the generated model file, its labels and its scales to stdout.
#include <cstdint>
#include <cstdio>

#include "a_run_model.h"

int main() {
  if (reinterpret_cast<uintptr_t>(a_run_model) % 16) return 1;
  fwrite(a_run_model, 1, a_run_model_bytes, stdout);
  printf("|labels|");
  for (int index = 0; index < a_run_classes; index++) printf("%s ", a_run_labels[index]);
  printf("|numbers|%.9g %d ", a_run_input_scale, a_run_input_zero_point);
  printf("%.9g %d", a_run_output_scale, a_run_output_zero_point);
}
