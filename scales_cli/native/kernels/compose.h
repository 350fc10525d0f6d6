// The parameters of one row of the output picture.
#pragma once

#include <cstdint>

namespace scales {

static constexpr int kComposeEdge = 2;  // pixels beyond either side that a phase may read

// How pixels beyond the sides are mirrored, and where the taps of a horizontal phase begin.
struct RowGeometry {
  int width, scale;
  int first_tap[4];  // of a phase, relative to its LR pixel
  int left_mirror[kComposeEdge], right_mirror[kComposeEdge];
};

// What is added to one output row: the residual of each channel, plus that of R, G and B which follows from chroma at
// LR size, both times the weight of the LR pixel.
struct AddendRow {
  RowGeometry geometry;
  int channels;
  const float* residual[4];   // a line for each channel, or nulls
  const float* chroma[2][4];  // [blue, red]: LR rows under the vertical taps, or nulls
  float column_weight[4];
  float row_weight[4][4];  // [phase][tap]
  const float* weights;    // [width], or null
  float* chroma_sums[2];   // [width + 2 kComposeEdge]
  float* addends;          // [width][channels] and one more, zero where there is no residual
};

// One output row of `compose`; buffers belong to the caller. Sum holds the numerators exactly: 32 bits for
// 8-bit samples, 64 for 16-bit ones.
template <class Sample, class Sum>
struct ComposeRow {
  AddendRow added;
  const Sample* lines[4];  // LR rows under the vertical taps
  Sum column_weight[4];
  Sum row_weight[4][4];  // [phase][tap]
  double denominator;    // of both axes together
  Sum* sums;             // [width + 2 kComposeEdge][channels]
  Sample* rounded;       // [scale][width][channels] and one more
  Sample* out;           // [scale * width][channels]
};

using ComposeRow8 = ComposeRow<std::uint8_t, std::int32_t>;
using ComposeRow16 = ComposeRow<std::uint16_t, std::int64_t>;

}  // namespace scales
