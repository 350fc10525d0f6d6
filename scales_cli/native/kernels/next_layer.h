// What the kernels of the head and of the body leave behind for the layer that follows, and what they work in.
#pragma once

#include <cstdint>

#include "kernels/output_transform.h"

namespace scales {

static constexpr int kGroupPixels = 64;  // that AVX2 counts at once

// Memory a kernel may scribble on; one per job.
struct RowScratch {
  std::uint16_t* masks;  // [channels] thresholded lanes of one block
  std::int32_t*
      partial;  // [channels][16] counts of the words before the last, or those that `integers` gives
  std::uint16_t* counts;  // [channels, made even][kGroupPixels] of a group of blocks, with AVX2
  float* pool;            // [channels][16] pooling lanes of one row
};

// What a row leaves behind for the layer that follows.
struct NextLayer {
  const Binarization* channels;
  float spatial_bias;
  float* spatial;       // [block][16] gates sigmoid(<weight, y> + bias)
  std::uint64_t* bits;  // packed row
  float* row_sums;      // [channels] sums of y over the row, or null where the gates are fixed already
};

}  // namespace scales
