// All kernels, written once for every vector instruction set.
//
// A file of isa/ defines its `Isa` (vectors of 16 floats, counting of differing bits, bit transposition) and
// instantiates `vector_kernels<Isa>`. Everything here and in *_lanes.h lives in an unnamed namespace, so that each
// such file has its own copy built with its own flags. An operation is one rounding in every table; the order of
// operations is that of `OutputTransform`.
#pragma once

#include "kernel_table.h"
#include "kernels/attention_lanes.h"
#include "kernels/bconv2d_lanes.h"
#include "kernels/byte_products_lanes.h"
#include "kernels/channels_last_lanes.h"
#include "kernels/compose_loops.h"
#include "kernels/head_lanes.h"
#include "kernels/popcount_peak_lanes.h"
#include "kernels/tail_input_lanes.h"
#include "kernels/tail_lanes.h"

namespace scales {
namespace {

template <class Isa>
constexpr KernelTable vector_kernels(const char* name) {
  return {name,
          Isa::kWeightForm,
          head_row<Isa>,
          bconv2d_row<Isa>,
          bconv2d_sums_row<Isa>,
          tail_input_row<Isa>,
          tail_row<Isa>,
          compose_row,
          compose_row,
          pack_pixels<Isa>,
          apply_pixels<Isa>,
          attend<Isa>,
          byte_products<Isa>,
          Isa::kProductRows != 0,
          xor_popcount<Isa>,
          Isa::kPeakBits};
}

}  // namespace
}  // namespace scales
