// One row of the output picture, for compilers to vectorise. Sums are exact integers; what follows is elementwise in
// fp64, so every table gives the same bits. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include "kernels/addend_loops.h"
#include "kernels/compose.h"

namespace scales {
namespace {

// Sums over the vertical taps, with the mirrored edge pixels on both sides.
template <class Sample, class Sum>
void sum_columns(const ComposeRow<Sample, Sum>& row) {
  const int channels = row.added.channels;
  const Sample *a = row.lines[0], *b = row.lines[1], *c = row.lines[2], *d = row.lines[3];
  const Sum wa = row.column_weight[0], wb = row.column_weight[1], wc = row.column_weight[2],
            wd = row.column_weight[3];
  Sum* centre = row.sums + kComposeEdge * channels;
  for (int i = 0; i < row.added.geometry.width * channels; ++i) {
    centre[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
  }
  mirror_edges(row.added.geometry, channels, centre);
}

// out[(scale * x + phase) * channels + c] = rounded[phase][x * channels + c].
template <int kChannels, class Sample, class Sum>
void interleave_phases(const ComposeRow<Sample, Sum>& row) {
  const int width = row.added.geometry.width;
  const std::size_t samples = static_cast<std::size_t>(kChannels) * width;
  with_count(row.added.geometry.scale, [&](auto scale) {
    Sample* target = row.out;
    const auto copy_pixel = [&](int x, auto count) {
      for (int phase = 0; phase < scale; ++phase, target += kChannels) {
        std::memcpy(target, row.rounded + samples * phase + kChannels * x, count * sizeof(Sample));
      }
    };
    for (int x = 0; x < width - 1; ++x) copy_pixel(x, Constant<kStoredCount<kChannels>>{});
    copy_pixel(width - 1, Constant<kChannels>{});
  });
}

// All samples of one horizontal phase: round_half_up(numerator / denominator + addend * max), clamped.
template <bool kInverse, class Sample, class Sum>
void round_phase(const ComposeRow<Sample, Sum>& row, int phase) {
  constexpr double max = sizeof(Sample) == 1 ? 255 : 65535;
  const int channels = row.added.channels, count = row.added.geometry.width * channels;
  const Sum* weight = row.row_weight[phase];
  const Sum wa = weight[0], wb = weight[1], wc = weight[2], wd = weight[3];
  const Sum* taps = row.sums + (kComposeEdge + row.added.geometry.first_tap[phase]) * channels;
  const float* addends = row.added.addends;
  Sample* rounded = row.rounded + static_cast<std::size_t>(count) * phase;
  // The reciprocal of a power of two is exact, and so is the product.
  const double denominator = kInverse ? 1 / row.denominator : row.denominator;
  for (int i = 0; i < count; ++i) {
    const Sum sum =
        wa * taps[i] + wb * taps[i + channels] + wc * taps[i + 2 * channels] + wd * taps[i + 3 * channels];
    const double exact = static_cast<double>(sum);
    const double bicubic = kInverse ? exact * denominator : exact / denominator;
    double value = bicubic + static_cast<double>(addends[i]) * max + 0.5;
    value = value > 0 ? value : 0;  // NaN becomes 0
    value = value < max ? value : max;
    rounded[i] = static_cast<Sample>(static_cast<std::int32_t>(value));
  }
}

template <class Sample, class Sum>
bool compose_row(const ComposeRow<Sample, Sum>& row) {
  sum_columns(row);
  const bool adds = row.added.residual[0] != nullptr, finite = !adds || begin_addends(row.added);
  const int scale = row.added.geometry.scale;
  for (int phase = 0; phase < scale; ++phase) {
    if (adds) spread_addends(row.added, phase);
    scale == 3 ? round_phase<false>(row, phase) : round_phase<true>(row, phase);
  }
  with_count(row.added.channels, [&](auto channels) { interleave_phases<channels>(row); });
  return finite;
}

}  // namespace
}  // namespace scales
