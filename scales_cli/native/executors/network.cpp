#include "executors/network.h"

#include <algorithm>
#include <cmath>

#include "kernels/sigmoid.h"

namespace scales {
namespace {

// Numbers of output channels whose sums fit in the registers of one tail kernel step, the best first.
constexpr int kTailGroups[] = {9, 8, 6, 4};

// The first of them that divides `outputs`, or 0.
int tail_group(int outputs) {
  for (const int group : kTailGroups) {
    if (outputs % group == 0) return group;
  }
  return 0;
}

template <int kScale>
void interleave(const float* source, std::size_t stride, int width, float* line) {
  for (std::size_t x = 0; x < static_cast<std::size_t>(width); ++x) {
    for (int dx = 0; dx < kScale; ++dx) line[kScale * x + dx] = source[stride * dx + x];
  }
}

}  // namespace

Network::Network(const NetworkTensors& t, const KernelTable& kernels)
    : shape_(t.shape), gate_taps_(t.gate_taps), kernels_(&kernels) {
  const std::size_t channels = shape_.channels;
  head_weight_.assign(t.head_weight, t.head_weight + channels * shape_.planes * kTaps);
  head_bias_.assign(t.head_bias, t.head_bias + channels);
  gate_weight_.assign(t.channel, t.channel + static_cast<std::size_t>(shape_.layers) * gate_taps_);
  spatial_bias_.assign(t.spatial_bias, t.spatial_bias + shape_.layers);
  spatial_bias_.push_back(0);

  filters_.reserve(shape_.layers);
  binarizations_.resize((shape_.layers + 1) * channels);
  transforms_.resize(shape_.layers * channels);
  const std::size_t filter_size = channels * kTaps * word_count(shape_.channels);
  for (int layer = 0; layer < shape_.layers; ++layer) {
    filters_.emplace_back(t.bits + filter_size * layer, shape_.channels, shape_.channels,
                          kernels.weight_form);
    for (std::size_t c = 0; c < channels; ++c) {
      const std::size_t i = layer * channels + c;
      binarizations_[i] = {t.threshold[i], t.spatial[i]};
      transforms_[i] = {t.weight_scale[i], t.shift_in[i], t.slope[i], t.shift_out[i]};
    }
  }

  pack_tail(t);
}

void Network::pack_tail(const NetworkTensors& t) {
  const std::size_t channels = shape_.channels, quads = channels / kQuad, outputs = tail_outputs(shape_);
  tail_gain_.assign(t.tail_gain, t.tail_gain + channels);
  tail_scale_.assign(t.tail_scale, t.tail_scale + shape_.outputs());
  tail_bias_.assign(t.tail_bias, t.tail_bias + shape_.outputs());
  tail_scale_.resize(outputs);
  tail_bias_.resize(outputs);
  tail_origin_.resize(outputs);
  tail_weight_.resize(outputs * quads * kTaps);
  const std::size_t size = tail_group(static_cast<int>(outputs));
  for (int o = 0; o < shape_.outputs(); ++o) {
    const std::size_t group = o / size, lane = o % size;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t tap = 0; tap < kTaps; ++tap) {
        const int weight = t.tail_weight[(o * channels + c) * kTaps + tap];
        const std::size_t line = ((group * 3 + tap / 3) * quads + c / kQuad) * size + lane;
        tail_weight_[3 * line + tap % 3] |= static_cast<std::uint32_t>(weight & 0xFF) << (8 * (c % kQuad));
        tail_origin_[o] -= 128 * weight;
      }
    }
  }
}

int Network::tail_outputs(const NetworkShape& shape) {
  int outputs = shape.outputs();
  while (tail_group(outputs) == 0) ++outputs;
  return outputs;
}

HeadParams Network::head() const {
  return {shape_.planes, shape_.channels, head_weight_.data(), head_bias_.data()};
}

TailParams Network::tail() const {
  const int outputs = tail_outputs(shape_);
  return {shape_.channels,     outputs,
          tail_group(outputs), tail_gain_.data(),
          tail_weight_.data(), tail_origin_.data(),
          tail_scale_.data(),  tail_bias_.data()};
}

NextLayer Network::next_layer(int layer) const {
  return {binarizations_.data() + static_cast<std::size_t>(layer) * shape_.channels, spatial_bias_[layer],
          nullptr, nullptr, nullptr};
}

void Network::fold_gates(int layer, const float* mean, OutputTransform* transforms) const {
  const float* weight = gate_weight_.data() + static_cast<std::size_t>(layer) * gate_taps_;
  for (int c = 0; c < shape_.channels; ++c) {
    float sum = 0;
    for (int k = 0; k < gate_taps_; ++k) {
      const int neighbour = c + k - gate_taps_ / 2;
      if (neighbour >= 0 && neighbour < shape_.channels) sum = std::fma(weight[k], mean[neighbour], sum);
    }
    transforms[c] = transforms_[static_cast<std::size_t>(layer) * shape_.channels + c];
    transforms[c].scale *= -2.0F * sigmoid(sum);
  }
}

void Network::write_row(const float* tail, std::size_t stride, int columns, int y,
                        const OutputPlanes& out) const {
  const int scale = shape_.scale;
  for (int color = 0; color < shape_.colors; ++color) {
    for (int dy = 0; dy < scale; ++dy) {
      const std::size_t row = static_cast<std::size_t>(scale) * (y - out.first_row) + dy;
      float* line = out.values + out.plane_size * color + out.row_size * row;
      const float* source = tail + stride * ((color * scale + dy) * scale);
      switch (scale) {
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
  for (int plane = 0; plane < shape_.chroma; ++plane) {
    const float* source = tail + stride * (shape_.colors * scale * scale + plane);
    std::copy_n(source, columns,
                out.chroma + out.chroma_plane_size * plane + out.chroma_row_size * (y - out.first_row));
  }
}

}  // namespace scales
