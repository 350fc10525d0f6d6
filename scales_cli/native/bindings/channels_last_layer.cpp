// Binary layers on pixels whose channels lie side by side.
#include "executors/channels_last_layer.h"

#include "bindings/arrays.h"
#include "bindings/module.h"

namespace scales {
namespace {

std::shared_ptr<ChannelsLastLayer> make_channels_last_layer(Input<std::uint64_t, 3> bits,
                                                            Input<float, 1> threshold, Input<float, 1> scale,
                                                            Input<float, 1> spatial, float spatial_bias,
                                                            Input<float, 1> shift_in, Input<float, 1> slope,
                                                            Input<float, 1> shift_out, bool skip,
                                                            const std::optional<std::string>& isa) {
  const std::size_t outputs = bits.shape(0), taps = bits.shape(1), inputs = threshold.shape(0);
  count(outputs, "outputs must be 1 to 4096");
  count(inputs, "inputs must be 1 to 4096");
  require(taps == 1 || taps == 9, "taps must be 1 or 9");
  require(!skip || inputs == outputs, "a skip needs as many outputs as inputs");
  require_shape(bits, {outputs, taps, static_cast<std::size_t>(word_count(static_cast<int>(inputs)))},
                "bits");
  require_shape(scale, {outputs}, "scale");
  require_shape(spatial, {inputs}, "spatial");
  require_shape(shift_in, {outputs}, "shift_in");
  require_shape(slope, {outputs}, "slope");
  require_shape(shift_out, {outputs}, "shift_out");
  ChannelsLastLayer::Tensors tensors{};
  tensors.inputs = static_cast<int>(inputs);
  tensors.outputs = static_cast<int>(outputs);
  tensors.taps = static_cast<int>(taps);
  tensors.bits = bits.data();
  tensors.threshold = threshold.data();
  tensors.scale = scale.data();
  tensors.spatial = spatial.data();
  tensors.shift_in = shift_in.data();
  tensors.slope = slope.data();
  tensors.shift_out = shift_out.data();
  tensors.spatial_bias = spatial_bias;
  tensors.skip = skip;
  return std::make_shared<ChannelsLastLayer>(tensors, kernels_for(isa));
}

void run_channels_last_layer(const ChannelsLastLayer& layer, Input<float, 3> picture, int begin, int end,
                             Array<float, 3> out, const std::optional<Input<float, 1>>& gate) {
  const int height = side(picture.shape(0), "pictures must be 1 to 2^20 rows tall"),
            width = side(picture.shape(1), "pictures must be 1 to 2^20 pixels wide");
  const std::size_t outputs = layer.outputs();
  require_shape(picture, {picture.shape(0), picture.shape(1), static_cast<std::size_t>(layer.inputs())},
                "picture");
  require_shape(out, {picture.shape(0), picture.shape(1), outputs}, "out");
  require_rows(begin, end, height);
  if (gate) require_shape(*gate, {outputs}, "gate");
  nb::gil_scoped_release release;
  layer.run(picture.data(), height, width, begin, end, gate ? gate->data() : nullptr, out.data());
}

}  // namespace

void bind_channels_last_layer(nb::module_& module) {
  nb::class_<ChannelsLastLayer>(
      module, "ChannelsLastLayer",
      "A binary layer on pixels [H, W, channels]: linear, or a 1x1 or 3x3 convolution.")
      .def(nb::new_(&make_channels_last_layer), nb::kw_only(), "bits"_a.noconvert(),
           "threshold"_a.noconvert(), "scale"_a.noconvert(), "spatial"_a.noconvert(), "spatial_bias"_a,
           "shift_in"_a.noconvert(), "slope"_a.noconvert(), "shift_out"_a.noconvert(), "skip"_a,
           "isa"_a = nb::none())
      .def("run", &run_channels_last_layer, "picture"_a.noconvert(), "begin"_a, "end"_a, "out"_a.noconvert(),
           "gate"_a.noconvert().none() = nb::none(),
           "Writes rows [begin, end) of the result into `out`; `gate` is a factor for each output.");
}

}  // namespace scales
