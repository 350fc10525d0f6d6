// A binary layer on a picture whose channels lie side by side.
#pragma once

#include <cstdint>

#include "kernel_table.h"
#include "layout.h"

namespace scales {

// Owns what `ChannelsLastParams` points to.
class ChannelsLastLayer {
 public:
  struct Tensors {
    int inputs, outputs, taps;
    const std::uint64_t* bits;  // [outputs][tap][word], pad bits are ignored
    const float *threshold, *scale, *spatial, *shift_in, *slope, *shift_out;
    float spatial_bias;
    bool skip;
  };

  ChannelsLastLayer(const Tensors& tensors, const KernelTable& kernels);

  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }

  // Rows [begin, end) of a picture [height][width][inputs] to out, [height][width][outputs]; `gate` is [outputs] or
  // null. May run in several threads.
  void run(const float* picture, int height, int width, int begin, int end, const float* gate,
           float* out) const;

 private:
  ChannelsLastParams params() const;
  const float* base(int row, int column) const;

  const KernelTable* kernels_;
  int inputs_, outputs_, words_, taps_;
  float spatial_bias_;
  bool skip_;
  AlignedBuffer<float> threshold_, spatial_, scale_, shift_in_, slope_, shift_out_;
  AlignedBuffer<std::uint64_t> weights_;
  AlignedBuffer<float> base_;  // [row Border][column Border][outputs]
};

}  // namespace scales
