// Multi-head attention of a picture of tokens, window by window.
#pragma once

#include "kernel_table.h"
#include "layout.h"

namespace scales {

class WindowAttention {
 public:
  // bias: [heads][window^2][window^2], of each query and key of a whole window.
  WindowAttention(const float* bias, int heads, int window, int shift, const KernelTable& kernels);

  int heads() const { return heads_; }
  // Rows of windows that a picture has.
  int window_rows(int height) const;

  // Rows [begin, end) of windows. May run in several threads.
  void run(const float* query, const float* key, const float* value, int height, int width, int channels,
           int begin, int end, float* out) const;

 private:
  const KernelTable* kernels_;
  int heads_, window_, shift_;
  AlignedBuffer<float> bias_;  // [heads][window^2][padded window^2]
};

}  // namespace scales
