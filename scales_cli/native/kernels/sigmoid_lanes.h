// `SigmoidRecipe` over 16 lanes. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include "kernels/sigmoid.h"

namespace scales {
namespace {

// exp(u) of u clamped to [-kLimit, kLimit]; NaN stays NaN.
template <class Isa>
typename Isa::F32x16 exp_lanes(typename Isa::F32x16 u) {
  using R = SigmoidRecipe;
  using F32x16 = typename Isa::F32x16;
  u = Isa::min(Isa::set1(R::kLimit), u);  // of x86, the second if one is NaN
  u = Isa::max(Isa::set1(-R::kLimit), u);
  const F32x16 k = Isa::fma(u, Isa::set1(R::kLog2E), Isa::set1(R::kRound));
  const F32x16 n = Isa::sub(k, Isa::set1(R::kRound));
  const F32x16 r = Isa::fma(n, Isa::set1(R::kLn2Low), Isa::fma(n, Isa::set1(R::kLn2High), u));
  F32x16 p = Isa::set1(R::kPoly[0]);
  for (int i = 1; i < 6; ++i) p = Isa::fma(p, r, Isa::set1(R::kPoly[i]));
  const F32x16 e = Isa::add(Isa::fma(p, Isa::mul(r, r), r), Isa::set1(1.0F));
  return Isa::shift_exponent(e, k);
}

template <class Isa>
typename Isa::F32x16 sigmoid_lanes(typename Isa::F32x16 t) {
  const typename Isa::F32x16 one = Isa::set1(1.0F);
  return Isa::div(one, Isa::add(one, exp_lanes<Isa>(Isa::mul(t, Isa::set1(-1.0F)))));
}

}  // namespace
}  // namespace scales
