// The parameters of the full-precision tail and the layout of its input.
#pragma once

namespace scales {

// Full-precision 3x3 tail by Winograd's F(2, 3) along the rows: for a pair of outputs y0, y1 with the pixels d0
// to d3 around them and a kernel row g0 to g2,
//
//     terms    d0 - d2, d1 + d2, d2 - d1, d1 - d3
//     weights  g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2
//     y0 = (m0 + m1) + m2,  y1 = (m1 - m2) - m3     of the products m, summed over rows and channels before
//
// are four multiplications in place of six. Input rows are cut into chunks of 32 pixels, [chunk][channel][term]
// [16 pairs] with kChunkStride values a channel; outputs come in groups that fit in registers.
struct TailParams {
  int channels;
  int outputs;
  int group;
  const float* weight;  // [outputs / group][term][ky][channel][group]
  const float* bias;    // [outputs]
};

static constexpr int kTerms = 4;
static constexpr int kPairs = 16;
static constexpr int kChunk = 2 * kPairs;
// An odd number of cache lines: else one term of all channels would lie in a quarter of the cache's sets.
static constexpr int kChunkStride = (kTerms + 1) * kPairs;
static constexpr int chunk_count(int width) {
  return (width + kChunk - 1) / kChunk;
}

}  // namespace scales
