// Multi-head attention of tokens [height][width][channels] within windows, in full precision.
//
// The windows' grid may be shifted: those at the picture's border are then cut, which is what masks do where a picture
// is rolled. For each head of d channels and each query of a window of n keys,
//
//   1  s[j] = fma(q[c], k[j][c], s[j]), c ascending, from the bias of the offset; q was multiplied by d^-1/2
//   2  e[j] = exp(s[j] - max s)                      the recipe of sigmoid.h
//   3  t: e[j] summed in 16 lanes j mod 16, whose halves are added until one is left
//   4  out[c] = fma(e[j], v[j][c], out[c]), j ascending; then times 1 / t
//
// Every kernel table performs exactly these roundings.
#pragma once

#include <cstddef>

#include "bitpack.h"

namespace scales {

struct KernelTable;

// One head of one window. Keys are filled up to a multiple of 16 with a bias of minus infinity, channels with zeros.
struct AttentionHead {
  int tokens, channels;
  int padded_tokens, padded_channels;
  const float* query;        // [tokens][padded_channels]
  const float* key;          // [channels][padded_tokens]
  const float* value;        // [padded_tokens][padded_channels]
  const float* const* bias;  // of each query [padded_tokens]
  float* scores;             // [kQueries][padded_tokens], scratch
  float* out;                // [tokens][padded_channels]
};

static constexpr int kQueries = 4;  // at a time

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
