// Python's view of the native engine. Every shape and range is checked here; nothing behind it checks again.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "executors/channels_last_layer.h"
#include "executors/chroma.h"
#include "executors/composition.h"
#include "executors/gate_pass.h"
#include "executors/network.h"
#include "executors/popcount_peak.h"
#include "executors/residual_sum.h"
#include "executors/row_scratch.h"
#include "executors/row_stream.h"
#include "executors/window_attention.h"
#include "kernel_table.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace scales {
namespace {

template <class T, int dimensions>
using Array = nb::ndarray<T, nb::numpy, nb::ndim<dimensions>, nb::c_contig, nb::device::cpu>;
template <class T, int dimensions>
using Input = Array<const T, dimensions>;

constexpr std::int64_t kMaxSide = 1 << 20;
constexpr std::int64_t kMaxPixels = (std::int64_t{1} << 31) - 1;

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

template <class ArrayType>
void require_shape(const ArrayType& array, std::initializer_list<std::size_t> shape, const char* name) {
  std::size_t axis = 0;
  for (const std::size_t length : shape) {
    if (array.shape(axis++) != length)
      throw std::invalid_argument(std::string(name) + " has the wrong shape");
  }
}

int side(std::size_t length, const char* message) {
  require(length >= 1 && length <= static_cast<std::size_t>(kMaxSide), message);
  return static_cast<int>(length);
}

int count(std::size_t length, const char* message) {
  require(length >= 1 && length <= 4096, message);
  return static_cast<int>(length);
}

template <class T, std::size_t dimensions>
Array<T, dimensions> new_array(const std::size_t (&shape)[dimensions]) {
  std::size_t size = 1;
  for (const std::size_t length : shape) size *= length;
  auto values = std::make_unique<T[]>(size);
  T* data = values.get();
  nb::capsule owner(values.release(), [](void* pointer) noexcept { delete[] static_cast<T*>(pointer); });
  return Array<T, dimensions>(data, dimensions, shape, owner);
}

// The table that SCALES_ISA names, else the best: chosen once.
const KernelTable& default_kernels() {
  static const KernelTable& kernels = []() -> const KernelTable& {
    const char* forced = std::getenv("SCALES_ISA");
    return select_kernels(CpuFeatures::detect(), forced == nullptr ? "" : forced);
  }();
  return kernels;
}

const KernelTable& kernels_for(const std::optional<std::string>& isa) {
  return isa ? select_kernels(CpuFeatures::detect(), *isa) : default_kernels();
}

std::shared_ptr<Network> make_network(int scale, int colors, int chroma, Input<float, 4> head_weight,
                                      Input<float, 1> head_bias, Input<std::uint64_t, 5> bits,
                                      Input<float, 2> threshold, Input<float, 2> weight_scale,
                                      Input<float, 2> spatial, Input<float, 1> spatial_bias,
                                      Input<float, 2> channel, Input<float, 2> shift_in,
                                      Input<float, 2> slope, Input<float, 2> shift_out,
                                      Input<float, 4> tail_weight, Input<float, 1> tail_bias,
                                      const std::optional<std::string>& isa) {
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  const std::size_t channels = head_weight.shape(0), planes = head_weight.shape(1), layers = bits.shape(0);
  count(channels, "channels must be 64 to 1024");
  count(layers, "layers must be 1 to 4096");
  require(planes >= 1 && planes <= kMaxPlanes, "planes must be 1 to 4");
  require(colors == 1 || colors == 3, "colors must be 1 or 3");
  require(chroma == 0 || chroma == 2, "chroma must be 0 or 2");
  require(channels % kWordBits == 0, "channels must be a multiple of 64");
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
  count(channel.shape(1), "channel must have 1 to 4096 taps");
  require_shape(shift_in, {layers, channels}, "shift_in");
  require_shape(slope, {layers, channels}, "slope");
  require_shape(shift_out, {layers, channels}, "shift_out");
  require_shape(tail_weight, {outputs, channels, 3, 3}, "tail_weight");
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
  tensors.tail_bias = tail_bias.data();
  return std::make_shared<Network>(tensors, kernels_for(isa));
}

NetworkShape network_shape(int scale, int planes, int colors, int chroma, int channels, int layers) {
  require(std::min({scale, planes, colors, channels, layers}) >= 1 && std::max(channels, layers) <= 4096 &&
              std::max({scale, planes, colors}) <= 4 && (chroma == 0 || chroma == 2),
          "not the dimensions of a network");
  return {scale, planes, colors, chroma, channels, layers};
}

std::shared_ptr<GatePass> make_gate_pass(std::shared_ptr<Network> network,
                                         const std::vector<Input<float, 3>>& windows) {
  require(!windows.empty() && windows.size() <= 4096, "a gate pass needs 1 to 4096 windows");
  std::int64_t pixels = 0;
  for (const auto& window : windows) {
    require(window.shape(0) == static_cast<std::size_t>(network->shape().planes),
            "windows have the wrong planes");
    require(window.shape(2) == windows.front().shape(2), "windows differ in width");
    const std::int64_t height = side(window.shape(1), "windows must be 1 to 2^20 rows tall");
    pixels += height * side(window.shape(2), "windows must be 1 to 2^20 pixels wide");
    require(pixels <= kMaxPixels, "the windows have too many pixels");
  }
  nb::gil_scoped_release release;
  std::vector<HeadRows> planes;
  for (const auto& window : windows) {
    const int height = static_cast<int>(window.shape(1)), width = static_cast<int>(window.shape(2));
    HeadRows& rows = planes.emplace_back(network->shape().planes, width, height, height);
    for (int y = 0; y < height; ++y) {
      rows.push(y, window.data() + static_cast<std::size_t>(y) * width,
                static_cast<std::size_t>(height) * width);
    }
  }
  return std::make_shared<GatePass>(std::move(network), std::move(planes));
}

void require_rows(int begin, int end, int rows) {
  require(0 <= begin && begin < end && end <= rows, "rows are outside the picture");
}

// Where LR rows [row, row + rows) and columns [column, column + columns) go in `out`, [colors][scale * LR rows]
// [scale * LR columns], and in `chroma`, [2][LR rows][LR columns].
OutputPlanes output_planes(const Network& network, const Array<float, 3>& out,
                           const std::optional<Array<float, 3>>& chroma, int row, int rows, int column,
                           int columns) {
  const std::size_t scale = network.scale(), height = out.shape(1) / scale, width = out.shape(2) / scale;
  require_shape(out, {static_cast<std::size_t>(network.shape().colors), scale * height, scale * width},
                "out");
  require(chroma.has_value() == (network.shape().chroma != 0), "chroma is given if the network has it");
  if (chroma) require_shape(*chroma, {2, height, width}, "chroma");
  require(row >= 0 && rows >= 0 && static_cast<std::size_t>(row) + rows <= height, "out lacks rows");
  require(column >= 0 && static_cast<std::size_t>(column) + columns <= width, "out lacks columns");
  return {out.data() + scale * column,
          out.shape(1) * out.shape(2),
          out.shape(2),
          chroma ? chroma->data() + column : nullptr,
          height * width,
          width,
          -row};
}

std::shared_ptr<RowStream> make_row_stream(std::shared_ptr<Network> network,
                                           std::shared_ptr<FixedGates> gates, int height, int width, int top,
                                           int bottom, int left, int right) {
  require(height >= 1 && height <= kMaxSide && width >= 1 && width <= kMaxSide,
          "pictures must be 1 to 2^20 pixels on each side");
  require_rows(top, bottom, height);
  require(0 <= left && left < right && right <= width, "columns are outside the picture");
  require(gates->transforms.size() == static_cast<std::size_t>(network->layers()) * network->channels(),
          "the gates belong to another network");
  nb::gil_scoped_release release;
  return std::make_shared<RowStream>(std::move(network), std::move(gates),
                                     Tile{width, height, top, bottom, left, right});
}

void advance_stream(RowStream& stream, int rows, Input<float, 3> planes, const Array<float, 3>& out,
                    const std::optional<Array<float, 3>>& chroma, int row, int column) {
  const Network& network = stream.network();
  require(rows >= 1 && rows <= stream.rows_left(), "the stream has not so many rows left");
  require_shape(
      planes,
      {static_cast<std::size_t>(network.shape().planes), static_cast<std::size_t>(stream.rows_needed(rows)),
       static_cast<std::size_t>(stream.columns())},
      "planes");
  OutputPlanes target =
      output_planes(network, out, chroma, row, rows, column, stream.tile().right - stream.tile().left);
  target.first_row += stream.next_row();
  nb::gil_scoped_release release;
  stream.advance(rows, planes.data(), target);
}

// For tests only, as `bconv2d` below.
Array<std::uint64_t, 3> pack_activations(Input<std::int8_t, 3> signs) {
  const int channels = count(signs.shape(0), "channels must be 1 to 4096");
  const int height = side(signs.shape(1), "rows must be 1 to 2^20"),
            width = side(signs.shape(2), "columns must be 1 to 2^20");
  auto packed = new_array<std::uint64_t>({static_cast<std::size_t>(height),
                                          static_cast<std::size_t>(word_count(channels)),
                                          static_cast<std::size_t>(width)});
  const std::size_t pixels = static_cast<std::size_t>(height) * width;
  for (int c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) {
      const std::size_t word = (i / width * word_count(channels) + c / kWordBits) * width + i % width;
      packed.data()[word] |= std::uint64_t{signs.data()[pixels * c + i] >= 0} << (c % kWordBits);
    }
  }
  return packed;
}

// The plain operation: packed [height][words][width], weights [out][3][3][words] -> int32
// [out][height][width].
Array<std::int32_t, 3> bconv2d(Input<std::uint64_t, 3> packed, Input<std::uint64_t, 4> weights, int channels,
                               const std::optional<std::string>& isa) {
  require(channels >= 1 && channels <= 1024, "channels must be 1 to 1024");
  const std::size_t words = word_count(channels);
  const int height = side(packed.shape(0), "rows must be 1 to 2^20"),
            width = side(packed.shape(2), "columns must be 1 to 2^20");
  const int outputs = count(weights.shape(0), "outputs must be 1 to 4096");
  require_shape(packed, {packed.shape(0), words, packed.shape(2)}, "packed");
  require_shape(weights, {weights.shape(0), 3, 3, words}, "weights");
  const KernelTable& kernels = kernels_for(isa);
  auto sums = new_array<std::int32_t>(
      {static_cast<std::size_t>(outputs), static_cast<std::size_t>(height), static_cast<std::size_t>(width)});
  nb::gil_scoped_release release;
  const BConv2DFilter filter(weights.data(), channels, outputs);
  PackedTensor rows(height + 2, width, static_cast<int>(words));  // with a row of zeros above and below
  for (int y = 0; y < height; ++y) {
    for (std::size_t word = 0; word < words; ++word) {
      const std::uint64_t valid = word + 1 == words ? last_word_mask(channels) : ~std::uint64_t{0};
      std::uint64_t* target = rows.row(y + 1) + packed_stride(width) * word + kMargin;
      for (int x = 0; x < width; ++x) target[x] = packed.data()[(y * words + word) * width + x] & valid;
    }
  }
  RowScratchBuffer scratch(outputs);
  AlignedBuffer<std::int32_t> line(static_cast<std::size_t>(outputs) * width);
  for (int y = 0; y < height; ++y) {
    const BConv2DRow row = {
        width, border_of(y, height), rows.row(y), rows.row(y + 1), rows.row(y + 2), nullptr, nullptr};
    kernels.bconv2d_sums_row(filter.params(), row, scratch.rows(), line.data());
    for (std::size_t o = 0; o < static_cast<std::size_t>(outputs); ++o) {
      for (int x = 0; x < width; ++x) sums.data()[(o * height + y) * width + x] = line[o * width + x];
    }
  }
  return sums;
}

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

std::shared_ptr<WindowAttention> make_window_attention(Input<float, 3> bias, int window, int shift,
                                                       const std::optional<std::string>& isa) {
  require(window >= 1 && window <= 64, "windows must be 1 to 64 pixels wide");
  require(shift >= 0 && shift < window, "shift must be less than a window");
  const std::size_t tokens = static_cast<std::size_t>(window) * window;
  const int heads = count(bias.shape(0), "heads must be 1 to 4096");
  require_shape(bias, {bias.shape(0), tokens, tokens}, "bias");
  return std::make_shared<WindowAttention>(bias.data(), heads, window, shift, kernels_for(isa));
}

void run_window_attention(const WindowAttention& attention, Input<float, 3> query, Input<float, 3> key,
                          Input<float, 3> value, int begin, int end, Array<float, 3> out) {
  const int height = side(query.shape(0), "pictures must be 1 to 2^20 rows tall"),
            width = side(query.shape(1), "pictures must be 1 to 2^20 pixels wide"),
            channels = count(query.shape(2), "channels must be 1 to 4096");
  require(channels % attention.heads() == 0, "heads must share the channels");
  const std::initializer_list<std::size_t> shape = {query.shape(0), query.shape(1), query.shape(2)};
  require_shape(key, shape, "key");
  require_shape(value, shape, "value");
  require_shape(out, shape, "out");
  require_rows(begin, end, attention.window_rows(height));
  nb::gil_scoped_release release;
  attention.run(query.data(), key.data(), value.data(), height, width, channels, begin, end, out.data());
}

template <class Sample>
Picture<Sample> picture_of(const Input<Sample, 3>& image) {
  require(image.shape(2) >= 1 && image.shape(2) <= 4, "pictures must have 1 to 4 channels");
  return {image.data(), side(image.shape(0), "pictures must be 1 to 2^20 rows tall"),
          side(image.shape(1), "pictures must be 1 to 2^20 pixels wide"), static_cast<int>(image.shape(2))};
}

template <class Sample>
void compose_array(Input<Sample, 3> image, const std::optional<Input<float, 3>>& residual, int scale,
                   int begin, int end, Array<Sample, 3> out, const std::optional<std::string>& isa) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  require(0 <= begin && begin <= end && end <= picture.height * scale, "output rows are outside the picture");
  const std::size_t rows = end - begin, width = static_cast<std::size_t>(scale) * picture.width;
  require_shape(out, {rows, width, image.shape(2)}, "out");
  const KernelTable& kernels = kernels_for(isa);
  const int planes = residual ? static_cast<int>(residual->shape(0)) : 0;
  if (residual) {
    require(planes == 1 || planes == picture.channels,
            "residual must have 1 channel or as many as the picture");
    require_shape(*residual, {residual->shape(0), rows, width}, "residual");
  }
  nb::gil_scoped_release release;
  compose(kernels, picture, residual ? residual->data() : nullptr, planes, scale, begin, end, out.data());
}

template <class Sample>
void ycc_array(Input<Sample, 3> image, Array<float, 3> out) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require_shape(out, {3, image.shape(0), image.shape(1)}, "out");
  nb::gil_scoped_release release;
  ycc_planes(picture, out.data());
}

void spread_chroma_array(Input<float, 2> luma, Input<float, 3> chroma, int scale, int begin, int end,
                         int first, int height, Array<float, 3> out) {
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  require(height >= 1 && height <= kMaxSide, "pictures must be 1 to 2^20 rows tall");
  const int rows = side(chroma.shape(1), "chroma must be 1 to 2^20 rows tall"),
            width = side(chroma.shape(2), "pictures must be 1 to 2^20 pixels wide");
  require(0 <= begin && begin < end && end <= height * scale, "output rows are outside the picture");
  require(0 <= first && first <= std::max(begin / scale - 2, 0) && rows <= height - first &&
              first + rows >= std::min((end - 1) / scale + 3, height),
          "chroma lacks rows");
  const std::size_t out_rows = end - begin, out_width = static_cast<std::size_t>(scale) * width;
  require_shape(chroma, {2, chroma.shape(1), chroma.shape(2)}, "chroma");
  require_shape(luma, {out_rows, out_width}, "luma");
  require_shape(out, {3, out_rows, out_width}, "out");
  nb::gil_scoped_release release;
  spread_chroma(luma.data(), {chroma.data(), first, rows, width, height}, scale, begin, end, out.data());
}

template <class Sample>
void luma_array(Input<Sample, 3> image, Array<float, 2> out) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require_shape(out, {image.shape(0), image.shape(1)}, "out");
  nb::gil_scoped_release release;
  luma(picture, out.data());
}

bool add_residual_array(Input<float, 3> added,
                        nb::ndarray<std::int32_t, nb::numpy, nb::ndim<3>, nb::device::cpu> sums) {
  require_shape(sums, {added.shape(0), added.shape(1), added.shape(2)}, "sums");
  const int rows = side(added.shape(1), "a picture has 1 to 2^20 rows"),
            columns = side(added.shape(2), "a picture has 1 to 2^20 columns");
  nb::gil_scoped_release release;
  bool finite = true;
  for (std::size_t c = 0; c < added.shape(0); ++c) {
    const SumPlane plane{sums.data() + static_cast<std::ptrdiff_t>(c) * sums.stride(0), sums.stride(1),
                         sums.stride(2)};
    finite &= add_residual(added.data() + c * rows * columns, rows, columns, plane);
  }
  return finite;
}

}  // namespace

NB_MODULE(_native, module) {
  nb::set_leak_warnings(false);  // after Ctrl-C, frames that are never unwound hold some to the end
  module.doc() = "Kernels and executors of packed 1-bit networks; see scales_cli/native.";

  module.def(
      "available_isas", [] { return available_kernels(CpuFeatures::detect()); },
      "Names of the kernel tables this CPU can execute, fastest first.");

  nb::class_<FixedGates>(module, "FixedGates",
                         "Channel gates of one picture, folded into every layer's scales.");

  nb::class_<Network>(module, "Network", "A packed network, ready to run on one kernel table.")
      .def_static("from_tensors", &make_network, "scale"_a, nb::kw_only(), "colors"_a, "chroma"_a,
                  "head_weight"_a.noconvert(), "head_bias"_a.noconvert(), "bits"_a.noconvert(),
                  "threshold"_a.noconvert(), "weight_scale"_a.noconvert(), "spatial"_a.noconvert(),
                  "spatial_bias"_a.noconvert(), "channel"_a.noconvert(), "shift_in"_a.noconvert(),
                  "slope"_a.noconvert(), "shift_out"_a.noconvert(), "tail_weight"_a.noconvert(),
                  "tail_bias"_a.noconvert(), "isa"_a = nb::none())
      .def_prop_ro("isa", [](const Network& network) { return std::string(network.kernels().name); })
      .def_prop_ro("layers", &Network::layers);

  nb::class_<GatePass>(module, "GatePass",
                       "Layer by layer over whole windows; rows are numbered through all of them.")
      .def(nb::new_(&make_gate_pass), "network"_a, "windows"_a.noconvert())
      .def_static(
          "bytes",
          [](int scale, int planes, int colors, int chroma, int channels, int layers, int rows, int width) {
            return GatePass::bytes(network_shape(scale, planes, colors, chroma, channels, layers),
                                   side(rows, "rows must be 1 to 2^20"),
                                   side(width, "width must be 1 to 2^20"));
          },
          nb::kw_only(), "scale"_a, "planes"_a, "colors"_a, "chroma"_a, "channels"_a, "layers"_a, "rows"_a,
          "width"_a, "Memory of a pass over so many rows, that of its jobs included.")
      .def_prop_ro("rows", &GatePass::rows)
      .def(
          "head",
          [](GatePass& pass, int begin, int end) {
            require_rows(begin, end, pass.rows());
            nb::gil_scoped_release release;
            pass.head(begin, end);
          },
          "begin"_a, "end"_a)
      .def(
          "fix_gates",
          [](GatePass& pass, int layer) {
            require(layer >= 0 && layer < pass.network().layers(), "no such layer");
            nb::gil_scoped_release release;
            pass.fix_gates(layer);
          },
          "layer"_a)
      .def(
          "layer",
          [](GatePass& pass, int layer, int begin, int end) {
            require(layer >= 0 && layer < pass.network().layers(), "no such layer");
            require_rows(begin, end, pass.rows());
            nb::gil_scoped_release release;
            pass.layer(layer, begin, end);
          },
          "layer"_a, "begin"_a, "end"_a)
      .def(
          "residual",
          [](const GatePass& pass, int begin, int end, Array<float, 3> out,
             const std::optional<Array<float, 3>>& chroma) {
            require_rows(begin, end, pass.height());
            const OutputPlanes planes =
                output_planes(pass.network(), out, chroma, 0, pass.height(), 0, pass.width());
            nb::gil_scoped_release release;
            pass.residual(begin, end, planes);
          },
          "begin"_a, "end"_a, "out"_a.noconvert(), "chroma"_a.noconvert().none(),
          "Writes rows [begin, end) of the first window's output into `out` and `chroma`, which hold all of "
          "it.")
      .def("gates", [](const GatePass& pass) { return std::make_shared<FixedGates>(pass.gates()); });

  nb::class_<RowStream>(module, "RowStream", "One tile of a picture, row by row through all layers at once.")
      .def(nb::new_(&make_row_stream), "network"_a, "gates"_a, "height"_a, "width"_a, "top"_a, "bottom"_a,
           "left"_a, "right"_a)
      .def_static(
          "bytes",
          [](int scale, int planes, int colors, int chroma, int channels, int layers, int columns) {
            return RowStream::bytes(network_shape(scale, planes, colors, chroma, channels, layers),
                                    side(columns, "columns must be 1 to 2^20"));
          },
          nb::kw_only(), "scale"_a, "planes"_a, "colors"_a, "chroma"_a, "channels"_a, "layers"_a, "columns"_a,
          "Memory of a stream of so many columns, its halo included.")
      .def_prop_ro("rows_left", &RowStream::rows_left, "LR rows of the tile that are still to be written.")
      .def_prop_ro("first_row", &RowStream::first_row, "The first row of the planes that is still to come.")
      .def("rows_needed", &RowStream::rows_needed, "rows"_a, "Plane rows that `advance` has to be given.")
      .def_prop_ro("first_column", &RowStream::first_column)
      .def_prop_ro("columns", &RowStream::columns, "The columns that `advance` reads.")
      .def("advance", &advance_stream, "rows"_a, "planes"_a.noconvert(), "out"_a.noconvert(),
           "chroma"_a.noconvert().none(), "row"_a, "column"_a,
           "Writes `rows` more LR rows of the tile to LR row `row` and column `column` of `out` and "
           "`chroma`, from "
           "its next plane rows [planes, rows_needed(rows), columns].");

  nb::class_<WindowAttention>(module, "WindowAttention",
                              "Attention within windows of tokens [H, W, channels], cut at the border.")
      .def(nb::new_(&make_window_attention), "bias"_a.noconvert(), "window"_a, "shift"_a,
           "isa"_a = nb::none())
      .def("window_rows", &WindowAttention::window_rows, "height"_a)
      .def("run", &run_window_attention, "query"_a.noconvert(), "key"_a.noconvert(), "value"_a.noconvert(),
           "begin"_a, "end"_a, "out"_a.noconvert(), "Writes rows [begin, end) of windows into `out`.");

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

  module.def(
      "xor_popcount_rate",
      [](double seconds, const std::optional<std::string>& isa) {
        require(seconds > 0 && seconds <= 3600, "seconds must be above 0 and at most 3600");
        const KernelTable& kernels = kernels_for(isa);
        nb::gil_scoped_release release;
        return xor_popcount_rate(kernels, seconds);
      },
      "seconds"_a, "isa"_a = nb::none(),
      "Binary multiply-accumulates per second of one thread by xor, popcount and add in registers.");
  module.def("pack_activations", &pack_activations, "signs"_a.noconvert(),
             "Bits of signs [channels, H, W], [H, words, W], where 0 counts as +1. For tests only.");
  module.def("bconv2d", &bconv2d, "packed"_a.noconvert(), "weights"_a.noconvert(), "channels"_a,
             "isa"_a = nb::none(),
             "The bare sums of the binary convolution, [outputs, H, W]. For tests only.");
  module.def("compose", &compose_array<std::uint8_t>, "image"_a.noconvert(), "residual"_a.noconvert().none(),
             "scale"_a, "begin"_a, "end"_a, "out"_a.noconvert(), "isa"_a = nb::none());
  module.def("compose", &compose_array<std::uint16_t>, "image"_a.noconvert(), "residual"_a.noconvert().none(),
             "scale"_a, "begin"_a, "end"_a, "out"_a.noconvert(), "isa"_a = nb::none());
  module.def("add_residual", &add_residual_array, "added"_a.noconvert(), "sums"_a.noconvert(),
             "Adds [C, H, W] to sums of the same shape, strided at will, in units of 2^-24; values count as "
             "at most 8. False if one is infinite or no number.");
  module.def("luma", &luma_array<std::uint8_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("luma", &luma_array<std::uint16_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("ycc", &ycc_array<std::uint8_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("ycc", &ycc_array<std::uint16_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def(
      "spread_chroma", &spread_chroma_array, "luma"_a.noconvert(), "chroma"_a.noconvert(), "scale"_a,
      "begin"_a, "end"_a, "first"_a, "height"_a, "out"_a.noconvert(),
      "The residual of R, G and B of output rows [begin, end), from that of luma and that of LR chroma, "
      "whose rows begin with `first`.");
}

}  // namespace scales
