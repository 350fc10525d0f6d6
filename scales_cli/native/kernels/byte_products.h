// Products of bytes, of which training makes its convolutions of signs:
//
//     sums[row][o] = the sum over k of codes[row][k] * weight[k][o]       row < count, o < kPanel, k < 4 steps
//
// Codes are 0 to 255 and weights -127 to 127, and no two products of an even k and the next exceed 510 together: one of
// the two are signs, or 0 to 2. The sums are exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scales {

static constexpr int kPanel = 32;  // outputs whose weights lie side by side
static constexpr int kStep = 4;    // bytes of a row that are multiplied at once

struct ByteProducts {
  const std::uint8_t* codes;
  std::size_t stride;  // from row to row
  int count, steps;
  const std::int8_t* weights;  // [steps][kPanel][kStep]
  std::int32_t* sums;          // [count][kPanel]
  bool add;                    // to what is there
};

}  // namespace scales
