// A binary layer on pixels whose channels lie side by side, [pixel][channel], for any number of channels: the linear
// layers of tokens, and 1x1 and 3x3 convolutions.
//
//   1  bit = x >= threshold                              one of every input channel
//   2  S = sigmoid(d + bias)                             d: fma(weight, x, sum) in 16 lanes, lane = channel mod 16,
//          then halves are added until one is left
//   3  sum = fma(-2, m, base)                            m differing bits over all taps; `base` is the number of
//          inputs under taps inside the picture, and for those outside, whose bits are zero, 2 popcount(weights)
//   4  z = fma(sum * S, scale, -shift_in)
//   5  a = z >= 0 ? z : z * slope                        RPReLU; of a linear layer shift_in = 0 and slope = 1
//   6  y = (x + a) + shift_out, or a + shift_out         with or without a skip
//
// Every kernel table performs exactly these roundings.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scales {

// Arrays of channels are filled up to multiples of 16: thresholds with infinity, everything else with zeros.
struct ChannelsLastParams {
  int inputs, outputs;
  int words;  // of a pixel
  int taps;   // 1 or 9
  const float* threshold;
  const float* spatial;
  float spatial_bias;
  const std::uint64_t* weights;  // [outputs / 16][tap][word][16], in the order of `weight_lane`
  const float *scale, *shift_in, *slope, *shift_out;
};

// Where output o of a block of 16 stands among its weights. Counts of 64-bit lanes 0..7 arrive in the even lanes of
// floats, those of 8..15 in the odd ones: this order makes lane o of the floats output o.
static constexpr int weight_lane(int output) {
  return output % 2 == 0 ? output / 2 : 8 + output / 2;
}

// Neighbouring pixels that have the same taps inside the picture.
struct PixelRun {
  int count;
  const std::uint64_t* bits;      // the first pixel's, [pixel][word]
  const std::ptrdiff_t* offsets;  // of each tap, in words
  const float* gates;             // S of each pixel
  const float* scale;             // instead of the layer's, times a channel gate
  const float* base;              // [outputs]
  const float* skip;              // [pixel][outputs], or null
};

}  // namespace scales
