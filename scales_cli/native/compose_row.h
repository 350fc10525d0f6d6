// One row of the output picture, written once and built with each kernel file's flags (unnamed namespace, as
// in row_kernels.h). Sums are exact integers; what follows is elementwise in fp64, so every table gives the
// same bits.
#pragma once

#include "kernel_table.h"

namespace scales {
namespace {

// Sums over the vertical taps, with the mirrored edge pixels on both sides.
template <class Sample, class Sum>
void sum_columns(const ComposeRow<Sample, Sum>& row) {
  const int samples = row.width * row.channels;
  const Sample *a = row.lines[0], *b = row.lines[1], *c = row.lines[2], *d = row.lines[3];
  const Sum wa = row.column_weight[0], wb = row.column_weight[1], wc = row.column_weight[2],
            wd = row.column_weight[3];
  Sum* centre = row.sums + kComposeEdge * row.channels;
  for (int i = 0; i < samples; ++i) centre[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
  for (int edge = 0; edge < kComposeEdge; ++edge) {
    for (int channel = 0; channel < row.channels; ++channel) {
      const int left = row.left_mirror[edge] * row.channels, right = row.right_mirror[edge] * row.channels;
      centre[-(edge + 1) * row.channels + channel] = centre[left + channel];
      centre[samples + edge * row.channels + channel] = centre[right + channel];
    }
  }
}

// addends[x * channels + c] = residual of channel c at scale * x + phase.
template <int kChannels, class Sample, class Sum>
void spread_residual(const ComposeRow<Sample, Sum>& row, int phase) {
  for (int c = 0; c < kChannels; ++c) {
    const float* source = row.residual[c] + phase;
    float* target = row.addends + c;
    for (int x = 0; x < row.width; ++x)
      target[kChannels * x] = source[static_cast<std::size_t>(row.scale) * x];
  }
}

template <int kChannels, class Sample, class Sum>
void interleave_phase(const ComposeRow<Sample, Sum>& row, int phase) {
  Sample* target = row.out + kChannels * phase;
  const std::size_t step = static_cast<std::size_t>(kChannels) * row.scale;
  for (int x = 0; x < row.width; ++x) {
    for (int c = 0; c < kChannels; ++c) target[step * x + c] = row.rounded[kChannels * x + c];
  }
}

// All samples of one horizontal phase: round_half_up(numerator / denominator + addend * max), clamped.
template <bool kInverse, class Sample, class Sum>
void round_phase(const ComposeRow<Sample, Sum>& row, int phase) {
  constexpr double max = sizeof(Sample) == 1 ? 255 : 65535;
  const int count = row.width * row.channels, channels = row.channels;
  const Sum* weight = row.row_weight[phase];
  const Sum wa = weight[0], wb = weight[1], wc = weight[2], wd = weight[3];
  const Sum* taps = row.sums + (kComposeEdge + row.first_tap[phase]) * channels;
  const float* addends = row.addends;
  Sample* rounded = row.rounded;
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

template <int kChannels, class Sample, class Sum>
void compose_channels(const ComposeRow<Sample, Sum>& row) {
  sum_columns(row);
  for (int phase = 0; phase < row.scale; ++phase) {
    if (row.residual[0] != nullptr) spread_residual<kChannels>(row, phase);
    row.scale == 3 ? round_phase<false>(row, phase) : round_phase<true>(row, phase);
    interleave_phase<kChannels>(row, phase);
  }
}

template <class Sample, class Sum>
void compose_row(const ComposeRow<Sample, Sum>& row) {
  switch (row.channels) {
    case 1:
      return compose_channels<1>(row);
    case 2:
      return compose_channels<2>(row);
    case 3:
      return compose_channels<3>(row);
    default:
      return compose_channels<4>(row);
  }
}

}  // namespace
}  // namespace scales
