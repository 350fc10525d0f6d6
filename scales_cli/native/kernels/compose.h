// The parameters of one row of the output picture.
#pragma once

#include <cstdint>

namespace scales {

// One output row of `compose`; buffers belong to the caller. Sum holds the numerators exactly: 32 bits for
// 8-bit samples, 64 for 16-bit ones.
static constexpr int kComposeEdge = 2;  // pixels beyond either side that a phase may read

template <class Sample, class Sum>
struct ComposeRow {
  int width, channels, scale;
  const Sample* lines[4];  // LR rows under the vertical taps
  Sum column_weight[4];
  Sum row_weight[4][4];  // [phase][tap]
  int first_tap[4];      // of a phase, relative to its LR pixel
  int left_mirror[kComposeEdge], right_mirror[kComposeEdge];
  double denominator;        // of both axes together
  const float* residual[4];  // a line for each channel, or nulls
  Sum* sums;                 // [width + 2 kComposeEdge][channels]
  float* addends;            // [width][channels] and one more, zero where there is no residual
  Sample* rounded;           // [scale][width][channels] and one more
  Sample* out;               // [scale * width][channels]
};

using ComposeRow8 = ComposeRow<std::uint8_t, std::int32_t>;
using ComposeRow16 = ComposeRow<std::uint16_t, std::int64_t>;

}  // namespace scales
