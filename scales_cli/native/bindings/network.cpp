// Networks from the tensors of packed files.
#include "executors/network.h"

#include <cstdlib>

#include "bindings/arrays.h"
#include "bindings/module.h"

namespace scales {
namespace {

std::shared_ptr<Network> make_network(int scale, int colors, int chroma, Input<float, 4> head_weight,
                                      Input<float, 1> head_bias, Input<std::uint64_t, 5> bits,
                                      Input<float, 2> threshold, Input<float, 2> weight_scale,
                                      Input<float, 2> spatial, Input<float, 1> spatial_bias,
                                      Input<float, 2> channel, Input<float, 2> shift_in,
                                      Input<float, 2> slope, Input<float, 2> shift_out,
                                      Input<std::int8_t, 4> tail_weight, Input<float, 1> tail_gain,
                                      Input<float, 1> tail_scale, Input<float, 1> tail_bias,
                                      const std::optional<std::string>& isa) {
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  const std::size_t channels = head_weight.shape(0), planes = head_weight.shape(1), layers = bits.shape(0);
  require(channels >= 64 && channels <= 1024 && channels % kWordBits == 0,
          "channels must be 64 to 1024, and a multiple of 64");
  count(layers, "layers must be 1 to 4096");
  require(planes >= 1 && planes <= kMaxPlanes, "planes must be 1 to 4");
  require(colors == 1 || colors == 3, "colors must be 1 or 3");
  require(chroma == 0 || chroma == 2, "chroma must be 0 or 2");
  NetworkTensors tensors{};
  tensors.shape = {scale,  static_cast<int>(planes),   colors,
                   chroma, static_cast<int>(channels), static_cast<int>(layers)};
  const std::size_t outputs = tensors.shape.outputs();
  require_shape(head_weight, {channels, planes, 3, 3}, "head_weight");
  require_shape(head_bias, {channels}, "head_bias");
  require_shape(bits, {layers, channels, 3, 3, channels / kWordBits}, "bits");
  require_shape(threshold, {layers, channels}, "threshold");
  require_shape(weight_scale, {layers, channels}, "scale");
  require_shape(spatial, {layers, channels}, "spatial");
  require_shape(spatial_bias, {layers}, "spatial_bias");
  require_shape(channel, {layers, channel.shape(1)}, "channel");
  require(channel.shape(1) % 2 == 1 && channel.shape(1) <= channels,
          "channel must have an odd number of taps, no more than channels");
  require_shape(shift_in, {layers, channels}, "shift_in");
  require_shape(slope, {layers, channels}, "slope");
  require_shape(shift_out, {layers, channels}, "shift_out");
  require_shape(tail_weight, {outputs, channels, 3, 3}, "tail_weight");
  for (std::size_t i = 0; i < tail_weight.size(); ++i) {
    require(std::abs(tail_weight.data()[i]) <= kMaxTailWeight, "a weight of the tail is out of range");
  }
  require_shape(tail_gain, {channels}, "tail_gain");
  require_shape(tail_scale, {outputs}, "tail_scale");
  require_shape(tail_bias, {outputs}, "tail_bias");
  tensors.gate_taps = static_cast<int>(channel.shape(1));
  tensors.head_weight = head_weight.data();
  tensors.head_bias = head_bias.data();
  tensors.bits = bits.data();
  tensors.threshold = threshold.data();
  tensors.weight_scale = weight_scale.data();
  tensors.spatial = spatial.data();
  tensors.spatial_bias = spatial_bias.data();
  tensors.channel = channel.data();
  tensors.shift_in = shift_in.data();
  tensors.slope = slope.data();
  tensors.shift_out = shift_out.data();
  tensors.tail_weight = tail_weight.data();
  tensors.tail_gain = tail_gain.data();
  tensors.tail_scale = tail_scale.data();
  tensors.tail_bias = tail_bias.data();
  return std::make_shared<Network>(tensors, kernels_for(isa));
}

}  // namespace

void bind_network(nb::module_& module) {
  nb::class_<FixedGates>(module, "FixedGates",  // NOLINT(bugprone-unused-raii): it registers the class
                         "Channel gates of one picture, folded into every layer's scales.");

  nb::class_<Network>(module, "Network", "A packed network, ready to run on one kernel table.")
      .def_static("from_tensors", &make_network, "scale"_a, nb::kw_only(), "colors"_a, "chroma"_a,
                  "head_weight"_a.noconvert(), "head_bias"_a.noconvert(), "bits"_a.noconvert(),
                  "threshold"_a.noconvert(), "weight_scale"_a.noconvert(), "spatial"_a.noconvert(),
                  "spatial_bias"_a.noconvert(), "channel"_a.noconvert(), "shift_in"_a.noconvert(),
                  "slope"_a.noconvert(), "shift_out"_a.noconvert(), "tail_weight"_a.noconvert(),
                  "tail_gain"_a.noconvert(), "tail_scale"_a.noconvert(), "tail_bias"_a.noconvert(),
                  "isa"_a = nb::none())
      .def_prop_ro("isa", [](const Network& network) { return std::string(network.kernels().name); })
      .def_prop_ro("layers", &Network::layers);
}

}  // namespace scales
