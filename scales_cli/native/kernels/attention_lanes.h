// `AttentionHead` over 16 lanes of keys, then of channels. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <limits>

#include "kernels/attention.h"
#include "kernels/sigmoid_lanes.h"
#include "layout.h"

namespace scales {
namespace {

template <class Isa>
float sum_of_lanes(typename Isa::F32x16 values) {
  alignas(64) float lanes[kLanes];
  Isa::store(lanes, values);
  return add_halves(lanes);
}

template <class Isa>
float largest_lane(typename Isa::F32x16 values) {
  alignas(64) float lanes[kLanes];
  Isa::store(lanes, values);
  float largest = lanes[0];
  for (const float lane : lanes) largest = lane > largest ? lane : largest;
  return largest;
}

template <class Isa, int kCount>
void attend_queries(const AttentionHead& head, int first) {
  using F32x16 = typename Isa::F32x16;
  const int keys = head.padded_tokens, channels = head.padded_channels;
  const float* query = head.query + static_cast<std::size_t>(first) * channels;
  F32x16 largest[kCount];
  for (int i = 0; i < kCount; ++i) largest[i] = Isa::set1(-std::numeric_limits<float>::infinity());
  for (int j = 0; j < keys; j += kLanes) {
    F32x16 score[kCount];
    for (int i = 0; i < kCount; ++i) score[i] = Isa::loadu(head.bias[first + i] + j);
    for (int c = 0; c < head.channels; ++c) {
      const F32x16 key = Isa::load(head.key + static_cast<std::size_t>(c) * keys + j);
      for (int i = 0; i < kCount; ++i) score[i] = Isa::fma(Isa::set1(query[channels * i + c]), key, score[i]);
    }
    for (int i = 0; i < kCount; ++i) {
      largest[i] = Isa::max(largest[i], score[i]);
      Isa::store(head.scores + keys * i + j, score[i]);
    }
  }
  float factor[kCount];
  for (int i = 0; i < kCount; ++i) {
    float* scores = head.scores + keys * i;
    const F32x16 top = Isa::set1(largest_lane<Isa>(largest[i]));
    F32x16 sum = Isa::set1(0);
    for (int j = 0; j < keys; j += kLanes) {
      const F32x16 e = exp_lanes<Isa>(Isa::sub(Isa::load(scores + j), top));
      Isa::store(scores + j, e);
      sum = Isa::add(sum, e);
    }
    factor[i] = 1.0F / sum_of_lanes<Isa>(sum);
  }
  for (int c = 0; c < channels; c += kLanes) {
    F32x16 out[kCount];
    for (int i = 0; i < kCount; ++i) out[i] = Isa::set1(0);
    for (int j = 0; j < head.tokens; ++j) {
      const F32x16 value = Isa::load(head.value + static_cast<std::size_t>(j) * channels + c);
      for (int i = 0; i < kCount; ++i) out[i] = Isa::fma(Isa::set1(head.scores[keys * i + j]), value, out[i]);
    }
    for (int i = 0; i < kCount; ++i) {
      Isa::store(head.out + static_cast<std::size_t>(first + i) * channels + c,
                 Isa::mul(out[i], Isa::set1(factor[i])));
    }
  }
}

template <class Isa>
void attend(const AttentionHead& head) {
  int query = 0;
  for (; query + kQueries <= head.tokens; query += kQueries) attend_queries<Isa, kQueries>(head, query);
  for (; query < head.tokens; ++query) attend_queries<Isa, 1>(head, query);
}

}  // namespace
}  // namespace scales
