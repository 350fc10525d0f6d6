// What is added to one row of the output picture, for compilers to vectorise. All of it is elementwise in fp32, in the
// order written, so every table gives the same bits. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/compose.h"

namespace scales {
namespace {

template <int kValue>
using Constant = std::integral_constant<int, kValue>;

// body(Constant<count>) of a count from 1 to 4, which loops are unrolled by.
template <class Body>
void with_count(int count, const Body& body) {
  switch (count) {
    case 1:
      return body(Constant<1>{});
    case 2:
      return body(Constant<2>{});
    case 3:
      return body(Constant<3>{});
    default:
      return body(Constant<4>{});
  }
}

// Pixels beyond both sides of a line of `width` pixels at `centre`.
template <class Value>
void mirror_edges(const RowGeometry& geometry, int channels, Value* centre) {
  for (int edge = 0; edge < kComposeEdge; ++edge) {
    const int left = geometry.left_mirror[edge] * channels, right = geometry.right_mirror[edge] * channels;
    for (int channel = 0; channel < channels; ++channel) {
      centre[-(edge + 1) * channels + channel] = centre[left + channel];
      centre[(geometry.width + edge) * channels + channel] = centre[right + channel];
    }
  }
}

// Whether none is infinite or no number.
inline bool all_finite(const float* values, int count) {
  std::uint32_t largest = 0;
  for (int i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    bits &= 0x7FFFFFFFU;
    largest = bits > largest ? bits : largest;
  }
  return largest < 0x7F800000U;
}

// What all phases share: chroma's sums over the vertical taps. Whether all that is added is finite.
inline bool begin_addends(const AddendRow& row) {
  const RowGeometry& geometry = row.geometry;
  bool finite = true;
  for (int c = 0; c < row.channels; ++c) {
    if (c == 0 || row.residual[c] != row.residual[0]) {
      finite &= all_finite(row.residual[c], geometry.scale * geometry.width);
    }
  }
  for (int plane = 0; plane < 2 && row.chroma[0][0] != nullptr; ++plane) {
    const float *a = row.chroma[plane][0], *b = row.chroma[plane][1], *c = row.chroma[plane][2],
                *d = row.chroma[plane][3], *weight = row.column_weight;
    float* centre = row.chroma_sums[plane] + kComposeEdge;
    for (int x = 0; x < geometry.width; ++x) {
      centre[x] = weight[0] * a[x] + weight[1] * b[x] + weight[2] * c[x] + weight[3] * d[x];
    }
    finite &= all_finite(centre, geometry.width);
    mirror_edges(geometry, 1, centre);
  }
  return finite;
}

// Copies of three values run one value over, into the next copy's place: a store of four is one instruction.
// The buffers have room for one more.
template <int kCount>
constexpr int kStoredCount = kCount == 3 ? 4 : kCount;

// addends[x * 3 + c] = residual of channel c at scale * x + phase, of luma and chroma.
inline void spread_colors(const AddendRow& row, int phase) {
  const std::size_t scale = row.geometry.scale;
  const float* const w = row.row_weight[phase];
  const float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
  const int first = kComposeEdge + row.geometry.first_tap[phase];
  const float *blue = row.chroma_sums[0] + first, *red = row.chroma_sums[1] + first;
  const float* luma = row.residual[0] + phase;
  float* target = row.addends;
  for (int x = 0; x < row.geometry.width; ++x) {
    const float cb = w0 * blue[x] + w1 * blue[x + 1] + w2 * blue[x + 2] + w3 * blue[x + 3];
    const float cr = w0 * red[x] + w1 * red[x + 1] + w2 * red[x + 2] + w3 * red[x + 3];
    const float y = luma[scale * x];
    target[3 * x] = y + 1.402F * cr;
    target[3 * x + 1] = y - (0.344136F * cb + 0.714136F * cr);
    target[3 * x + 2] = y + 1.772F * cb;
  }
}

// addends[x * channels + c] = residual of channel c at scale * x + phase.
template <int kChannels>
void spread_residual(const AddendRow& row, int phase) {
  const std::size_t scale = row.geometry.scale;
  const int width = row.geometry.width;
  if (row.residual[0] == row.residual[kChannels - 1]) {
    const float* source = row.residual[0] + phase;
    for (int x = 0; x < width; ++x) {
      float values[kStoredCount<kChannels>];
      for (float& value : values) value = source[scale * x];
      std::memcpy(row.addends + kChannels * x, values, sizeof values);
    }
    return;
  }
  for (int c = 0; c < kChannels; ++c) {
    const float* source = row.residual[c] + phase;
    float* target = row.addends + c;
    for (int x = 0; x < width; ++x) target[kChannels * x] = source[scale * x];
  }
}

// addends[i] *= weights of its pixel.
template <int kChannels>
void weigh_addends(const AddendRow& row) {
  for (int x = 0; x < row.geometry.width; ++x) {
    for (int c = 0; c < kChannels; ++c) row.addends[kChannels * x + c] *= row.weights[x];
  }
}

// All addends of one horizontal phase.
inline void spread_addends(const AddendRow& row, int phase) {
  if (row.chroma[0][0] != nullptr) {
    spread_colors(row, phase);
  } else {
    with_count(row.channels, [&](auto channels) { spread_residual<channels>(row, phase); });
  }
  if (row.weights != nullptr) with_count(row.channels, [&](auto channels) { weigh_addends<channels>(row); });
}

}  // namespace
}  // namespace scales
