#include "executors/channels_last_layer.h"

#include <algorithm>
#include <bitset>
#include <limits>

namespace scales {
namespace {

AlignedBuffer<float> filled_up(const float* values, int count, float filler) {
  AlignedBuffer<float> buffer(padded(count));
  for (int i = 0; i < padded(count); ++i) buffer[i] = i < count ? values[i] : filler;
  return buffer;
}

}  // namespace

ChannelsLastLayer::ChannelsLastLayer(const Tensors& tensors, const KernelTable& kernels)
    : kernels_(&kernels),
      inputs_(tensors.inputs),
      outputs_(tensors.outputs),
      words_(word_count(tensors.inputs)),
      taps_(tensors.taps),
      spatial_bias_(tensors.spatial_bias),
      skip_(tensors.skip),
      threshold_(filled_up(tensors.threshold, inputs_, std::numeric_limits<float>::infinity())),
      spatial_(filled_up(tensors.spatial, inputs_, 0)),
      scale_(filled_up(tensors.scale, outputs_, 0)),
      shift_in_(filled_up(tensors.shift_in, outputs_, 0)),
      slope_(filled_up(tensors.slope, outputs_, 0)),
      shift_out_(filled_up(tensors.shift_out, outputs_, 0)),
      weights_(static_cast<std::size_t>(padded(outputs_)) * taps_ * words_),
      base_(16 * static_cast<std::size_t>(padded(outputs_))) {
  const std::uint64_t last_word = last_word_mask(inputs_);
  for (int o = 0; o < outputs_; ++o) {
    for (int tap = 0; tap < taps_; ++tap) {
      int set = 0;
      for (int word = 0; word < words_; ++word) {
        std::uint64_t bits = tensors.bits[(static_cast<std::size_t>(o) * taps_ + tap) * words_ + word];
        if (word == words_ - 1) bits &= last_word;
        const std::size_t place = (static_cast<std::size_t>(o / kLanes) * taps_ + tap) * words_ + word;
        weights_[place * kLanes + weight_lane(o % kLanes)] = bits;
        set += static_cast<int>(std::bitset<64>(bits).count());
      }
      for (int row = 0; row < 4; ++row) {
        for (int column = 0; column < 4; ++column) {
          const bool away = taps_ > 1 && (is_outside(row, tap / 3) || is_outside(column, tap % 3));
          base_[static_cast<std::size_t>(4 * row + column) * padded(outputs_) + o] +=
              static_cast<float>(away ? 2 * set : inputs_);
        }
      }
    }
  }
}

ChannelsLastParams ChannelsLastLayer::params() const {
  return {inputs_,           outputs_,         words_,        taps_,
          threshold_.data(), spatial_.data(),  spatial_bias_, weights_.data(),
          scale_.data(),     shift_in_.data(), slope_.data(), shift_out_.data()};
}

const float* ChannelsLastLayer::base(int row, int column) const {
  return base_.data() + static_cast<std::size_t>(4 * row + column) * padded(outputs_);
}

void ChannelsLastLayer::run(const float* picture, int height, int width, int begin, int end,
                            const float* gate, float* out) const {
  const ChannelsLastParams layer = params();
  AlignedBuffer<float> scale(padded(outputs_));
  for (int o = 0; o < outputs_; ++o) scale[o] = gate == nullptr ? scale_[o] : scale_[o] * gate[o];

  // Packed rows with a pixel of zeros around each side that taps reach.
  const int margin = taps_ > 1 ? 1 : 0;
  const std::size_t stride = static_cast<std::size_t>(width + 2 * margin) * words_;
  AlignedBuffer<std::uint64_t> bits(stride * (end - begin + 2 * margin));
  AlignedBuffer<float> gates(static_cast<std::size_t>(end - begin) * width);
  for (int y = std::max(begin - margin, 0); y < std::min(end + margin, height); ++y) {
    const bool needs_gates = begin <= y && y < end;
    kernels_->pack_pixels(layer, picture + static_cast<std::size_t>(y) * width * inputs_, width,
                          bits.data() + stride * (y - begin + margin) + margin * words_,
                          needs_gates ? gates.data() + static_cast<std::size_t>(y - begin) * width : nullptr);
  }

  std::ptrdiff_t offsets[kTaps] = {};
  for (int tap = 0; tap < taps_ && taps_ > 1; ++tap) {
    offsets[tap] = (tap / 3 - 1) * static_cast<std::ptrdiff_t>(stride) + (tap % 3 - 1) * words_;
  }
  for (int y = begin; y < end; ++y) {
    const int row = border_of(y, height);
    const std::size_t first = static_cast<std::size_t>(y) * width;
    const auto apply = [&](int x, int count, int column) {
      if (count <= 0) return;
      const PixelRun run = {count,
                            bits.data() + stride * (y - begin + margin) + (x + margin) * words_,
                            offsets,
                            gates.data() + static_cast<std::size_t>(y - begin) * width + x,
                            scale.data(),
                            base(row, column),
                            skip_ ? picture + (first + x) * inputs_ : nullptr};
      kernels_->apply_pixels(layer, run, out + (first + x) * outputs_);
    };
    if (taps_ == 1) {
      apply(0, width, kInside);
      continue;
    }
    apply(0, 1, width == 1 ? kOnly : kFirst);
    apply(1, width - 2, kInside);
    if (width > 1) apply(width - 1, 1, kLast);
  }
}

}  // namespace scales
