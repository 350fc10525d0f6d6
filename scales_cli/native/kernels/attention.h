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

namespace scales {

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

}  // namespace scales
