// Products of bytes, of which training makes its convolutions of signs:
//
//     sums[row][o] = the sum over k of codes[row][k] * weight[k][o]       row < count, o < kPanelOutputs, k < 4 steps
//
// The products of an even k and the next are 510 together at most: 2 * 255 if weights are signs, 2 * 2 * 127 if codes are
// 0 to 2. The sums are exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scales {

static constexpr int kPanelOutputs = 32;  // outputs whose weights lie side by side
static constexpr int kStepBytes = 4;      // bytes of a row that are multiplied at once

struct ByteProducts {
  const std::uint8_t* codes;
  std::size_t stride;  // from row to row
  int count, steps;
  const std::int8_t* weights;  // [steps][kPanelOutputs][kStepBytes]
  std::int32_t* sums;          // [count][kPanelOutputs]
  bool add;                    // to what is there
};

}  // namespace scales
