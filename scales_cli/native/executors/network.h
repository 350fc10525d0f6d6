// A packed network ready to run, and the channel gates of one picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "executors/bconv2d_filter.h"
#include "kernel_table.h"

namespace scales {

// `planes` is what the head sees. Of the tail's outputs, the first colors s^2 are pixel-shuffled to `colors` planes
// of s times the size, and `chroma` more, 0 or 2, are planes as large as the head's.
struct NetworkShape {
  int scale, planes, colors, chroma, channels, layers;

  int outputs() const { return colors * scale * scale + chroma; }
};

// The tensors of a packed file (scales_cli/weights/packed.py), those of all layers stacked.
struct NetworkTensors {
  NetworkShape shape;
  int gate_taps;
  const float *head_weight, *head_bias;
  const std::uint64_t* bits;
  const float *threshold, *weight_scale, *spatial, *spatial_bias, *channel, *shift_in, *slope, *shift_out;
  const std::int8_t* tail_weight;
  const float *tail_gain, *tail_scale, *tail_bias;
};

// Where a job writes the network's output: rows of planes [colors][row][column], and of chroma [2][row][column] if
// the network gives it.
struct OutputPlanes {
  float* values;  // at the job's first column
  std::size_t plane_size, row_size;
  float* chroma;  // at the job's first column, or null
  std::size_t chroma_plane_size, chroma_row_size;
  int first_row;  // the LR row that both point at
};

class Network {
 public:
  // Copies and repacks the tensors.
  Network(const NetworkTensors& tensors, const KernelTable& kernels);

  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const NetworkShape& shape() const { return shape_; }
  int scale() const { return shape_.scale; }
  int channels() const { return shape_.channels; }
  int layers() const { return shape_.layers; }
  const KernelTable& kernels() const { return *kernels_; }

  // How many outputs the tail's kernel works on; what is more than `shape.outputs()` has no weights.
  static int tail_outputs(const NetworkShape& shape);

  HeadParams head() const;
  TailParams tail() const;
  BConv2DParams bconv2d(int layer) const { return filters_[layer].params(); }

  // Input of `layer`: thresholds and spatial weights. Layer `layers()` stands for the tail, which needs
  // neither.
  NextLayer next_layer(int layer) const;

  // Output transforms of one layer with gate = sigmoid(conv1d(mean)) folded into the scale.
  void fold_gates(int layer, const float* mean, OutputTransform* transforms) const;

  // out[color][dy][s x + dx] = tail[color s^2 + s dy + dx][x] for x < columns: the s output rows of LR row y
  // in each plane; and its row of chroma. The tail's outputs lie `stride` values apart.
  void write_row(const float* tail, std::size_t stride, int columns, int y, const OutputPlanes& out) const;

 private:
  void pack_tail(const NetworkTensors& tensors);

  NetworkShape shape_;
  int gate_taps_;
  const KernelTable* kernels_;
  std::vector<float> head_weight_, head_bias_;
  std::vector<float> tail_gain_, tail_scale_, tail_bias_;
  std::vector<std::uint32_t> tail_weight_;
  std::vector<std::int32_t> tail_origin_;
  std::vector<BConv2DFilter> filters_;
  std::vector<Binarization> binarizations_;  // [layers + 1][channels]
  std::vector<float> spatial_bias_;          // [layers + 1]
  std::vector<float> gate_weight_;           // [layers][gate_taps]
  std::vector<OutputTransform> transforms_;  // [layers][channels], ungated
};

// Output transforms of every layer for one picture. With them the network is a plain sliding stencil.
struct FixedGates {
  explicit FixedGates(const Network& network)
      : channels(network.channels()),
        transforms(static_cast<std::size_t>(network.layers()) * network.channels()) {}

  OutputTransform* layer(int index) { return transforms.data() + static_cast<std::size_t>(index) * channels; }
  const OutputTransform* layer(int index) const {
    return transforms.data() + static_cast<std::size_t>(index) * channels;
  }

  int channels;
  std::vector<OutputTransform> transforms;
};

}  // namespace scales
