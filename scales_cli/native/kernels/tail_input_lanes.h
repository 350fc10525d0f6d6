// The tail's input row, body and head together, over 16 pixel lanes. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include "kernels/head_lanes.h"
#include "kernels/tail.h"

namespace scales {
namespace {

// Pixels of residual + head in order, at 1 of the chunk lines; their neighbours are not filled in.
template <class Isa, int kPlanes>
void tail_input_blocks(const HeadParams& head, const float* rows, int width, const float* residual,
                       float* tail_row) {
  constexpr int kBlocks = kChunk / kLanes;
  for (int block = 0; block < kBlocks * chunk_count(width); ++block) {
    float* line = tail_row + static_cast<std::size_t>(block / kBlocks) * head.channels * kChunkStride + 1 +
                  kLanes * (block % kBlocks);
    if (block >= block_count(width)) {
      for (int c = 0; c < head.channels; ++c) Isa::storeu(line + kChunkStride * c, Isa::set1(0));
      continue;
    }
    const HeadTaps<Isa, kPlanes> taps(rows, width, block);
    const typename Isa::Mask valid = Isa::mask(valid_lanes(width, block));
    const float* body = residual + static_cast<std::size_t>(kLanes) * head.channels * block;
    taps.convolve(head, [&](int c, typename Isa::F32x16 convolved) {
      const typename Isa::F32x16 sum = Isa::add(Isa::load(body + kLanes * c), convolved);
      Isa::storeu(line + kChunkStride * c, Isa::to_pixels(Isa::select(valid, sum, Isa::set1(0))));
    });
  }
}

// The terms of a line of 32 pixels between its two neighbours, in place.
template <class Isa>
void transform_line(float* line) {
  using F32x16 = typename Isa::F32x16;
  const F32x16 a = Isa::loadu(line), b = Isa::loadu(line + kLanes), c = Isa::loadu(line + 2),
               d = Isa::loadu(line + kLanes + 2);
  const F32x16 d0 = Isa::evens(a, b), d1 = Isa::odds(a, b), d2 = Isa::evens(c, d), d3 = Isa::odds(c, d);
  Isa::store(line, Isa::sub(d0, d2));
  Isa::store(line + kPairs, Isa::add(d1, d2));
  Isa::store(line + 2 * kPairs, Isa::sub(d2, d1));
  Isa::store(line + 3 * kPairs, Isa::sub(d1, d3));
}

template <class Isa>
void tail_input_row(const HeadParams& head, const float* rows, int width, const float* residual,
                    float* tail_row) {
  with_planes(head.planes,
              [&](auto planes) { tail_input_blocks<Isa, planes>(head, rows, width, residual, tail_row); });
  const int chunks = chunk_count(width);
  const std::size_t chunk_size = static_cast<std::size_t>(head.channels) * kChunkStride;
  for (int c = 0; c < head.channels; ++c) tail_row[kChunkStride * c] = 0;
  for (int chunk = 0; chunk < chunks; ++chunk, tail_row += chunk_size) {
    // All neighbours first: a vector load would wait for the single values just stored.
    for (int c = 0; c < head.channels; ++c) {
      float *line = tail_row + kChunkStride * c, *next = line + chunk_size;
      line[kChunk + 1] = chunk + 1 < chunks ? next[1] : 0;
      if (chunk + 1 < chunks) next[0] = line[kChunk];
    }
    for (int c = 0; c < head.channels; ++c) transform_line<Isa>(tail_row + kChunkStride * c);
  }
}

}  // namespace
}  // namespace scales
