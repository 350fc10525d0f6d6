#include "executors/network.h"

#include <cmath>
#include <stdexcept>

#include "kernels/sigmoid.h"

namespace scales {
namespace {

// Largest number of output channels whose sums fit in the registers of one tail kernel step and divides
// `outputs`.
int tail_group(int outputs) {
  for (const int group : {9, 8, 6, 4}) {
    if (outputs % group == 0) return group;
  }
  throw std::invalid_argument("the tail has an unsupported number of outputs");
}

template <int kScale>
void interleave(const float* source, std::size_t stride, int width, float* line) {
  for (std::size_t x = 0; x < static_cast<std::size_t>(width); ++x) {
    for (int dx = 0; dx < kScale; ++dx) line[kScale * x + dx] = source[stride * dx + x];
  }
}

}  // namespace

Network::Network(const NetworkTensors& t, const KernelTable& kernels)
    : scale_(t.shape.scale),
      colors_(t.shape.colors),
      channels_(t.shape.channels),
      layers_(t.shape.layers),
      gate_taps_(t.gate_taps),
      kernels_(&kernels) {
  if (scale_ < 2 || scale_ > 4 || (colors_ != 1 && colors_ != 3) || channels_ < kWordBits ||
      channels_ > 1024 || channels_ % kWordBits != 0 || layers_ < 1 || layers_ > 4096 || gate_taps_ < 1 ||
      gate_taps_ % 2 == 0 || gate_taps_ > channels_) {
    throw std::invalid_argument("not the dimensions of a packed network");
  }
  const std::size_t channels = channels_;
  head_weight_.assign(t.head_weight, t.head_weight + channels * colors_ * kTaps);
  head_bias_.assign(t.head_bias, t.head_bias + channels);
  gate_weight_.assign(t.channel, t.channel + static_cast<std::size_t>(layers_) * gate_taps_);
  spatial_bias_.assign(t.spatial_bias, t.spatial_bias + layers_);
  spatial_bias_.push_back(0);

  filters_.reserve(layers_);
  binarizations_.resize((layers_ + 1) * channels);
  transforms_.resize(layers_ * channels);
  const std::size_t filter_size = channels * kTaps * word_count(channels_);
  for (int layer = 0; layer < layers_; ++layer) {
    filters_.emplace_back(t.bits + filter_size * layer, channels_, channels_);
    for (std::size_t c = 0; c < channels; ++c) {
      const std::size_t i = layer * channels + c;
      binarizations_[i] = {t.threshold[i], t.spatial[i]};
      transforms_[i] = {t.weight_scale[i], t.shift_in[i], t.slope[i], t.shift_out[i]};
    }
  }

  const TailParams view = tail();
  tail_bias_.assign(t.tail_bias, t.tail_bias + view.outputs);
  tail_weight_.resize(static_cast<std::size_t>(view.outputs) * channels * 3 * kTerms);
  for (int o = 0; o < view.outputs; ++o) {
    const std::size_t group = o / view.group, lane = o % view.group;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t ky = 0; ky < 3; ++ky) {
        const float* g = t.tail_weight + (o * channels + c) * kTaps + 3 * ky;
        const float terms[kTerms] = {g[0], 0.5F * (g[0] + g[1] + g[2]), 0.5F * (g[0] - g[1] + g[2]), g[2]};
        for (std::size_t term = 0; term < kTerms; ++term) {
          const std::size_t line = ((group * kTerms + term) * 3 + ky) * channels + c;
          tail_weight_[line * view.group + lane] = terms[term];
        }
      }
    }
  }
}

HeadParams Network::head() const {
  return {colors_, channels_, head_weight_.data(), head_bias_.data()};
}

TailParams Network::tail() const {
  const int outputs = colors_ * scale_ * scale_;
  return {channels_, outputs, tail_group(outputs), tail_weight_.data(), tail_bias_.data()};
}

NextLayer Network::next_layer(int layer) const {
  return {binarizations_.data() + static_cast<std::size_t>(layer) * channels_, spatial_bias_[layer], nullptr,
          nullptr, nullptr};
}

void Network::fold_gates(int layer, const float* mean, OutputTransform* transforms) const {
  const float* weight = gate_weight_.data() + static_cast<std::size_t>(layer) * gate_taps_;
  for (int c = 0; c < channels_; ++c) {
    float sum = 0;
    for (int k = 0; k < gate_taps_; ++k) {
      const int neighbour = c + k - gate_taps_ / 2;
      if (neighbour >= 0 && neighbour < channels_) sum = std::fma(weight[k], mean[neighbour], sum);
    }
    transforms[c] = transforms_[static_cast<std::size_t>(layer) * channels_ + c];
    transforms[c].scale *= -2.0F * sigmoid(sum);
  }
}

void Network::pixel_shuffle_row(const float* tail, std::size_t stride, int columns, int y,
                                const OutputPlanes& out) const {
  for (int color = 0; color < colors_; ++color) {
    for (int dy = 0; dy < scale_; ++dy) {
      const std::size_t row = static_cast<std::size_t>(scale_) * (y - out.first_row) + dy;
      float* line = out.values + out.plane_size * color + out.row_size * row;
      const float* source = tail + stride * ((color * scale_ + dy) * scale_);
      switch (scale_) {
        case 2:
          interleave<2>(source, stride, columns, line);
          break;
        case 3:
          interleave<3>(source, stride, columns, line);
          break;
        default:
          interleave<4>(source, stride, columns, line);
      }
    }
  }
}

}  // namespace scales
