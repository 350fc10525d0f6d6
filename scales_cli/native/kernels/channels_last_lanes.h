// The kernels of `ChannelsLastLayer` over 16 lanes of channels, written once for every vector instruction set; `Isa::Dot`
// counts the differing bits of one pixel and 16 outputs. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <cstring>

#include "kernels/channels_last.h"
#include "kernels/output_transform.h"
#include "kernels/sigmoid_lanes.h"
#include "layout.h"

namespace scales {
namespace {

// Up to 16 floats; lanes beyond are zero.
template <class Isa>
typename Isa::F32x16 load_part(const float* p, int count) {
  if (count >= kLanes) return Isa::loadu(p);
  alignas(64) float lanes[kLanes] = {};
  std::memcpy(lanes, p, sizeof(float) * count);
  return Isa::load(lanes);
}

template <class Isa>
void store_part(float* p, typename Isa::F32x16 values, int count) {
  if (count >= kLanes) return Isa::storeu(p, values);
  alignas(64) float lanes[kLanes];
  Isa::store(lanes, values);
  std::memcpy(p, lanes, sizeof(float) * count);
}

template <class Isa>
void pack_pixels(const ChannelsLastParams& layer, const float* x, int count, std::uint64_t* bits,
                 float* gates) {
  using F32x16 = typename Isa::F32x16;
  constexpr int kParts = kWordBits / kLanes;
  const int parts = padded(layer.inputs) / kLanes;
  for (int first = 0; first < count; first += kLanes) {
    alignas(64) float dots[kLanes] = {};
    const int pixels = count - first < kLanes ? count - first : kLanes;
    for (int i = 0; i < pixels; ++i) {
      const float* pixel = x + static_cast<std::size_t>(first + i) * layer.inputs;
      F32x16 dot = Isa::set1(0);
      for (int word = 0; word < layer.words; ++word) {
        std::uint16_t masks[kParts] = {};
        for (int k = 0; k < kParts && kParts * word + k < parts; ++k) {
          const int c = kLanes * (kParts * word + k);
          const F32x16 value = load_part<Isa>(pixel + c, layer.inputs - c);
          Isa::store_mask(masks + k, Isa::ge(value, Isa::load(layer.threshold + c)));
          dot = Isa::fma(Isa::load(layer.spatial + c), value, dot);
        }
        bits[static_cast<std::size_t>(first + i) * layer.words + word] =
            masks[0] | std::uint64_t{masks[1]} << 16 | std::uint64_t{masks[2]} << 32 |
            std::uint64_t{masks[3]} << 48;
      }
      alignas(64) float lanes[kLanes];
      Isa::store(lanes, dot);
      dots[i] = add_halves(lanes) + layer.spatial_bias;
    }
    if (gates != nullptr) store_part<Isa>(gates + first, sigmoid_lanes<Isa>(Isa::load(dots)), pixels);
  }
}

// What is done to the sums of 16 outputs.
template <class Isa>
struct PixelTransform {
  using F32x16 = typename Isa::F32x16;

  PixelTransform(const ChannelsLastParams& layer, const PixelRun& run, int output)
      : base(Isa::load(run.base + output)),
        scale(Isa::load(run.scale + output)),
        shift_in(Isa::load(layer.shift_in + output)),
        slope(Isa::load(layer.slope + output)),
        shift_out(Isa::load(layer.shift_out + output)) {}

  // Without the skip and the shift after it.
  F32x16 activation(typename Isa::Dot dot, float gate) const {
    const F32x16 differing = Isa::sub(Isa::count_float(dot.counts()), Isa::set1(kCountOrigin));
    const F32x16 sum = Isa::fma(Isa::set1(-2), differing, base);
    const F32x16 z = Isa::fms(Isa::mul(sum, Isa::set1(gate)), scale, shift_in);
    return Isa::select(Isa::ge(z, Isa::set1(0)), z, Isa::mul(z, slope));
  }

  F32x16 base, scale, shift_in, slope, shift_out;
};

template <class Isa, int kPixels>
void apply_block(const ChannelsLastParams& layer, const PixelRun& run, const PixelTransform<Isa>& transform,
                 int output, int pixel, float* out) {
  const std::uint64_t* weights = layer.weights + static_cast<std::size_t>(output) * layer.taps * layer.words;
  typename Isa::Dot dots[kPixels];
  for (int tap = 0; tap < layer.taps; ++tap) {
    const std::uint64_t* bits =
        run.bits + run.offsets[tap] + static_cast<std::ptrdiff_t>(pixel) * layer.words;
    for (int word = 0; word < layer.words; ++word, weights += kLanes) {
      const typename Isa::DotWeights w(weights);
      for (int i = 0; i < kPixels; ++i) dots[i].add(bits[i * layer.words + word], w);
    }
  }
  const int count = layer.outputs - output;
  for (int i = 0; i < kPixels; ++i) {
    const std::size_t place = static_cast<std::size_t>(pixel + i) * layer.outputs + output;
    typename Isa::F32x16 y = transform.activation(dots[i], run.gates[pixel + i]);
    if (run.skip != nullptr) y = Isa::add(load_part<Isa>(run.skip + place, count), y);
    store_part<Isa>(out + place, Isa::add(y, transform.shift_out), count);
  }
}

template <class Isa>
void apply_pixels(const ChannelsLastParams& layer, const PixelRun& run, float* out) {
  constexpr int kPixels = 4;
  for (int output = 0; output < layer.outputs; output += kLanes) {
    const PixelTransform<Isa> transform(layer, run, output);
    int pixel = 0;
    for (; pixel + kPixels <= run.count; pixel += kPixels) {
      apply_block<Isa, kPixels>(layer, run, transform, output, pixel, out);
    }
    for (; pixel < run.count; ++pixel) apply_block<Isa, 1>(layer, run, transform, output, pixel, out);
  }
}

}  // namespace
}  // namespace scales
