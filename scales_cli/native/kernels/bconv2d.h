// Binary 3x3 convolution on packed bits.
//
// Activations and weights are +-1, stored as bits (set = +1); a tap outside the picture contributes 0. With m
// the number of differing bits over the taps (words outside the picture read as zero),
//
//     sum = (sum over taps inside of C) - 2 (m - sum over taps outside of popcount(w_tap)) = base - 2 m,
//
// where `base` depends only on the output channel and on which taps lie outside: 9 C in the interior.
// |sum| <= 9 C <= 9 * 1024 is exact in fp32.
//
// The carry-save form: three taps x_i = a_i ^ w_i add up to (s, m) = (x1 ^ x2 ^ x3, x1 ^ ((x1 ^ x2) & (x1 ^
// x3))), and each xor of x's is an xor of activations, shared by all output channels, with an xor of weights,
// known beforehand. Three such adders and a fourth one over their s leave one word of weight 1 and four words
// of weight 2 to count.
//
// The table form, which AVX2 uses: of four channels of a tap, the activations' bits look up how many differ from the
// weights of two outputs at once, in the halves of a byte.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layout.h"

namespace scales {

static constexpr int kTaps = 9;         // 3 ky + kx
static constexpr int kAdderWords = 13;  // (w1, w1^w2, w1^w3) of four adders, then the xor of all nine
static constexpr int kNibbles = kWordBits / 4;
static constexpr int kPairBytes = kTaps * kNibbles;
static constexpr int pair_count(int outputs) {
  return (outputs + 1) / 2;
}

// Which neighbours a row or a column lacks: index of the tables of `base`.
enum Border : int { kInside = 0, kFirst = 1, kLast = 2, kOnly = 3 };

static constexpr int border_of(int index, int length) {
  return (index == 0 ? kFirst : kInside) | (index == length - 1 ? kLast : kInside);
}

// Whether a tap's row or column lies outside the picture.
static constexpr bool is_outside(int border, int index) {
  return (index == 0 && border & kFirst) || (index == 2 && border & kLast);
}

// How a table wants the weights of a layer.
enum class WeightForm {
  kTaps,    // uint64 [words][out][kTaps]
  kAdders,  // uint64 [words][out][kAdderWords]
  kPairs,   // uint8 [words][(out + 1) / 2][ky][kNibbles][kx], the second output's bits in the upper half
};

// Weights of one layer as the kernels read them.
struct BConv2DParams {
  int in_channels;
  int out_channels;
  int words;
  const void* weights;       // in the `WeightForm` of the table
  const std::int32_t* base;  // [row Border][column Border][out]
  const float* half_base;    // 2^23 + base / 2, see `OutputTransform`
};

struct BConv2DRow {
  int width;
  int border;  // Border of the row
  const std::uint64_t *above, *centre, *below;
  const float* spatial;  // may be the array that `NextLayer` overwrites
  float* residual;       // updated in place
};

static inline std::size_t border_index(const BConv2DParams& conv, int row, int column) {
  return static_cast<std::size_t>(4 * row + column) * conv.out_channels;
}

}  // namespace scales
