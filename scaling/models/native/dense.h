// Dense and grouped convolution and its two gradients: which kernel computes which shape.
#pragma once

#include "dense_gather.h"
#include "dense_weight_gradient.h"
#include "narrow_groups.h"

namespace native {

template <typename Pool>
void Convolve(Pool& pool, const Convolution& c, const float* x, const float* kernel, float* y) {
  const auto narrow = [&]<int S, int G>() { SumGroups<S, G>(pool, c, false, x, kernel, y); };
  if (!ForNarrowGroups(c, narrow)) Gather<Pool>(pool, c, false).Run(x, kernel, y);
}

template <typename Pool>
void InputGradientOf(Pool& pool, const Convolution& c, const float* gradient, const float* kernel, float* x) {
  const auto narrow = [&]<int S, int G>() {
    if constexpr (S == 1) SumGroups<S, G>(pool, c, true, gradient, kernel, x);
  };
  if (c.rows.stride != 1 || !ForNarrowGroups(c, narrow)) Gather<Pool>(pool, c, true).Run(gradient, kernel, x);
}

template <typename Pool>
void KernelGradientOf(Pool& pool, const Convolution& c, const float* x, const float* gradient, float* kernel) {
  const auto narrow = [&]<int S, int G>() { SumGroupGradients<S, G>(pool, c, x, gradient, kernel); };
  if (!ForNarrowGroups(c, narrow)) WeightGradient<Pool>(pool, c).Run(x, gradient, kernel);
}

}  // namespace native
