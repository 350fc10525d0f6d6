// `SigmoidRecipe` over 16 lanes.
#pragma once

#include "sigmoid.h"

namespace scales {
namespace {

template <class Isa>
typename Isa::F16 sigmoid_lanes(typename Isa::F16 t) {
  using R = SigmoidRecipe;
  using F16 = typename Isa::F16;
  const F16 one = Isa::set1(1.0F);
  F16 u = Isa::mul(t, Isa::set1(-1.0F));
  u = Isa::min(u, Isa::set1(R::kLimit));
  u = Isa::max(u, Isa::set1(-R::kLimit));
  const F16 k = Isa::fma(u, Isa::set1(R::kLog2E), Isa::set1(R::kRound));
  const F16 n = Isa::sub(k, Isa::set1(R::kRound));
  const F16 r = Isa::fma(n, Isa::set1(R::kLn2Low), Isa::fma(n, Isa::set1(R::kLn2High), u));
  F16 p = Isa::set1(R::kPoly[0]);
  for (int i = 1; i < 6; ++i) p = Isa::fma(p, r, Isa::set1(R::kPoly[i]));
  const F16 e = Isa::add(Isa::fma(p, Isa::mul(r, r), r), one);
  return Isa::div(one, Isa::add(one, Isa::shift_exponent(e, k)));
}

}  // namespace
}  // namespace scales
